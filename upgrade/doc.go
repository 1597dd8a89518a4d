// Package upgrade replaces a running server by a new process, and loses no
// connection and no request.
//
//	up, err := upgrade.New(upgrade.Config{}) // SIGHUP upgrades, SIGTERM ends
//	...
//	l, err := up.Listen(ctx, nil, "web", "tcp", ":8080")
//	...
//	if err := up.Ready(ctx); err != nil { // the predecessor stops accepting
//		log.Fatal(err)
//	}
//	s := upgrade.Server{HTTP: &http.Server{Handler: handler}}
//	go s.Serve(l)
//	<-up.Done() // a successor is ready, or the process was told to end
//	s.Drain(ctx)
//
// An [Upgrader] starts the program again, which may be a new version of it, and gives
// it copies of the sockets. The kernel queues connections for both: whichever process
// accepts gets the next one. The predecessor goes on serving until the successor says
// that it is ready. If the successor fails before that, nothing has happened, except
// that [Upgrader.Upgrade] returns why.
//
// A [Server] then ends its share of the work: it stops accepting, lets requests finish
// and tells idle clients to come again on a new connection, which is the successor's.
//
// # Order of calls
//
// Call [Upgrader.Ready] before the first Accept. Until then connections wait in the
// kernel's queue. A successor that accepts earlier and then fails takes the connections
// that it has accepted with it.
//
// # Who starts the successor
//
// By default the process starts it, on a signal or when Upgrade is called. With
// [Config.Control] a process that was started by other means, such as a container of the
// next version, takes the sockets over from the one that runs. And a service manager may
// give the sockets to the first process, see package activation.
//
// # Limits
//
// Datagram sockets are shared in the same way, and each datagram goes to one of the two
// processes. Protocols that keep state of a peer across datagrams, such as QUIC with its
// connection IDs, need routing that this package does not do.
package upgrade
