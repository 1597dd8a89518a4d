// Package upgrade replaces a running server with a new process, without losing
// connections or requests.
//
//	up, err := upgrade.New(upgrade.Config{}) // SIGHUP upgrades, SIGTERM stops
//	...
//	l, err := up.Listen(ctx, nil, "web", "tcp", ":8080")
//	...
//	if _, err := up.Ready(ctx); err != nil { // the predecessor stops accepting
//		log.Fatal(err)
//	}
//	s := upgrade.Server{HTTP: &http.Server{Handler: handler}}
//	go s.Serve(l)
//	<-up.Done() // a successor is ready, or the process was told to stop
//	s.Drain(ctx)
//
// An [Upgrader] starts the program again, possibly in a new version, and gives it
// copies of the sockets. The kernel has one queue of connections for both processes;
// whichever accepts gets the next one. The predecessor keeps serving until the
// successor reports that it is ready. If the successor fails before that, the
// predecessor continues as before, and [Upgrader.Upgrade] returns the reason.
//
// A [Server] then finishes the predecessor's work: it stops accepting, lets requests
// finish and tells idle clients to connect again, which takes them to the successor.
//
// # Order of calls
//
// Call [Upgrader.Ready] before the first Accept. Until then connections wait in the
// kernel's queue. If a successor accepts connections earlier and then fails, those
// connections are lost.
//
// # How a successor is started
//
// By default, the process starts its successor on a signal or when [Upgrader.Upgrade] is
// called. With Config.Control, a process that was started by other means, such as a
// container with the next version, takes over the sockets of the running one. The first
// process may get its sockets from a service manager; see package [activation]. In a
// container, call [Supervise] first.
//
// # Errors
//
// [SuccessorError] reports a successor that did not become ready, [CutError] the
// connections that [Server.Drain] had to close, and [NameError] a name that cannot be
// used. [ErrUpgrading], [ErrNotReady] and [ErrStopped] report calls at the wrong time,
// and [ErrRefused] a predecessor that continues to serve.
//
// # Limits
//
// Datagram sockets are shared as well: each datagram goes to one of the two processes.
// Protocols that keep state about a peer across datagrams, such as QUIC with its
// connection IDs, need routing that this package does not do.
package upgrade
