// Package upgrade replaces a running server by a new process without losing connections or
// requests.
//
//	up, err := upgrade.New(upgrade.Config{}) // SIGHUP upgrades, SIGTERM ends
//	...
//	l, err := up.Listen(ctx, nil, "web", "tcp", ":8080")
//	...
//	if _, err := up.Ready(ctx); err != nil { // the predecessor stops accepting
//		log.Fatal(err)
//	}
//	s := upgrade.Server{HTTP: &http.Server{Handler: handler}}
//	go s.Serve(l)
//	<-up.Done() // a successor is ready, or the process was told to end
//	s.Drain(ctx)
//
// An [Upgrader] starts the program again, which may be a new version of it, and gives it
// copies of the sockets. The kernel queues connections for both: the process that accepts
// gets the next one. The predecessor goes on serving until the successor reports that it is
// ready. If the successor fails before that, the predecessor continues as before, and
// [Upgrader.Upgrade] returns the reason.
//
// A [Server] then ends its share of the work: it stops accepting, lets requests finish and
// tells idle clients to connect again, which leads them to the successor.
//
// # Order of calls
//
// Call [Upgrader.Ready] before the first Accept. Until then connections wait in the
// kernel's queue. If a successor accepts earlier and then fails, the connections that it
// has accepted are lost.
//
// # How a successor is started
//
// By default the process starts it, on a signal or when Upgrade is called. With
// [Config.Control], a process that was started by other means, such as a container of the
// next version, takes the sockets over from the one that runs. The first process may get
// its sockets from a service manager, see package activation. In a container, call
// [Supervise] first.
//
// # Errors
//
// [SuccessorError] reports a successor that did not become ready, [CutError] what Drain had
// to close, and [NameError] a name that cannot be used. [ErrUpgrading], [ErrNotReady],
// [ErrStopped] and [ErrRefused] say that a call came at the wrong time.
//
// # Limits
//
// Datagram sockets are shared in the same way: each datagram goes to one of the two
// processes. Protocols that keep state of a peer across datagrams, such as QUIC with its
// connection IDs, need routing that this package does not do.
package upgrade
