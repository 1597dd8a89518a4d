// Package activation passes sockets between a process and the program that starts it. A
// process takes over the sockets that a service manager or a parent process opened
// ([Inherited]), passes sockets to its own child processes ([PassTo]), and reports its
// state to the service manager ([Notify], [Watchdog]).
//
// It follows the protocols of systemd, sd_listen_fds(3) and sd_notify(3), and also
// works between two programs without a service manager.
//
// # Errors
//
// [Inherited] returns an [*InheritError] if the environment describes descriptors that
// do not exist. A name that cannot be passed is a [*sockets.ArgumentError]. Functions
// that talk to the service manager do nothing if there is none: [Notify] and its
// relatives return false and a nil error, [Watchdog] returns nil.
package activation
