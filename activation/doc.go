// Package activation exchanges sockets with whatever starts a process: it takes
// over those that a service manager or a parent process opened, passes sockets to
// child processes, and tells the service manager how the service is doing.
//
// It follows sd_listen_fds(3) and sd_notify(3) of systemd, and works between two
// programs without a service manager as well.
package activation
