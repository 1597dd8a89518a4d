package activation_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"os/exec"
	"syscall"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/activation"
)

func ExampleInherited() {
	socks, err := activation.Inherited()
	if err != nil {
		log.Fatal(err)
	}
	var l net.Listener
	if len(socks) > 0 {
		l, err = socks[0].Socket.Listener()
	} else {
		l, err = sockets.Listen("tcp", "127.0.0.1:0") // started by hand
	}
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	fmt.Println(len(socks), l.Addr().Network())
	// Output: 0 tcp
}

func ExamplePassTo() {
	l, err := sockets.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	cmd := exec.Command("sh", "-c", "echo $LISTEN_FDS $LISTEN_FDNAMES; : <&3 && echo 3 is open")
	if err := activation.PassTo(cmd, activation.Named{Name: "web", Conn: l.(syscall.Conn)}); err != nil {
		log.Fatal(err)
	}
	out, err := cmd.Output()
	activation.ClosePassed(cmd)
	fmt.Printf("%s%v\n", out, err)
	// Output:
	// 1 web
	// 3 is open
	// <nil>
}

func ExamplePassToService() {
	l, err := sockets.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	// Any program that follows sd_listen_fds(3).
	cmd := exec.Command("sh", "-c", "test $LISTEN_PID = $$ && echo $LISTEN_FDS")
	if err := activation.PassToService(cmd, activation.Named{Name: "web", Conn: l.(syscall.Conn)}); err != nil {
		log.Fatal(err)
	}
	out, err := cmd.Output()
	activation.ClosePassed(cmd)
	fmt.Printf("%s%v\n", out, err)
	// Output:
	// 1
	// <nil>
}

func ExampleNotify() {
	sent, err := activation.Notify(context.Background(), activation.NotifyReady, activation.NotifyStatus("serving"))
	fmt.Println(sent, err) // no service manager started this
	// Output: false <nil>
}

// A service that systemd starts with its sockets, by units with FileDescriptorName=web,
// Type=notify and WatchdogSec=. Started by hand, it listens by itself.
func Example() {
	ctx := context.Background()
	inherited, err := activation.Inherited()
	if err != nil {
		log.Fatal(err)
	}
	defer inherited.Close() // those that are not used
	listeners, err := inherited.Listeners()
	if err != nil {
		log.Fatal(err)
	}
	if len(listeners["web"]) == 0 {
		l, err := sockets.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			log.Fatal(err)
		}
		listeners["web"] = []net.Listener{l}
	}
	for _, l := range listeners["web"] {
		defer l.Close() // and serve it
	}
	told, err := activation.Notify(ctx, activation.NotifyReady)
	fmt.Println(told, err)
	fmt.Println(activation.Watchdog(ctx, nil)) // returns at once if there is none
	// Output:
	// false <nil>
	// <nil>
}
