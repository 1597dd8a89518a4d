// Package activation exchanges sockets with the program that starts a process. It takes
// over sockets that a service manager or a parent process opened ([Inherited]), passes
// sockets to child processes ([PassTo]), and reports the state of the service to the
// service manager ([Notify], [Watchdog]).
//
// It follows sd_listen_fds(3) and sd_notify(3) of systemd, and also works between two
// programs without a service manager.
//
// # Errors
//
// [Inherited] returns an [*InheritError] if the environment describes descriptors that
// do not exist. Names that cannot be passed are a *sockets.ArgumentError. The functions
// that talk to the service manager report false, and no error, if there is none.
package activation
