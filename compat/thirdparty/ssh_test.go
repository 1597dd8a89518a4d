package thirdparty_test

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"testing"

	"golang.org/x/crypto/ssh"

	net "github.com/iolib-go/sockets/compat"
)

func TestSSH(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			hostKey, err := ssh.NewSignerFromKey(newKey(t))
			if err != nil {
				t.Fatal(err)
			}
			userKey, err := ssh.NewSignerFromKey(newKey(t))
			if err != nil {
				t.Fatal(err)
			}
			l := listen(t, network)
			server := &sshServer{t: t, dial: dialer(t)}
			inBackground(t, func() error { return server.serve(l, hostKey, userKey.PublicKey()) })

			conn, chans, reqs, err := ssh.NewClientConn(dial(t, l.Addr()), "server.test:22", &ssh.ClientConfig{
				User:            "user",
				Auth:            []ssh.AuthMethod{ssh.PublicKeys(userKey)},
				HostKeyCallback: ssh.FixedHostKey(hostKey.PublicKey()),
			})
			if err != nil {
				t.Fatal(err)
			}
			client := ssh.NewClient(conn, chans, reqs)
			t.Cleanup(func() { client.Close() })
			t.Run("session", func(t *testing.T) { sshSession(t, client) })
			t.Run("forward", func(t *testing.T) { sshForward(t, client) })
			t.Run("reverse forward", func(t *testing.T) { sshReverse(t, client) })
		})
	}
}

// sshSession runs a command that sends its input back.
func sshSession(t *testing.T, client *ssh.Client) {
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	stdin, err := session.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := session.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Start("cat"); err != nil {
		t.Fatal(err)
	}
	roundTrip(t, struct {
		io.Reader
		io.Writer
	}{stdout, stdin}, 1<<20, stdin.Close)
	var exit *ssh.ExitError
	if err := session.Wait(); !errors.As(err, &exit) || exit.ExitStatus() != 7 {
		t.Errorf("Wait: %v, want exit status 7", err)
	}
}

// sshForward lets the server connect to one of our listeners.
func sshForward(t *testing.T, client *ssh.Client) {
	target := listen(t, "tcp")
	inBackground(t, func() error {
		c, err := target.Accept()
		if err != nil {
			return err
		}
		return echo(c)
	})
	c, err := client.Dial("tcp", target.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	roundTrip(t, c, 1<<20, c.(interface{ CloseWrite() error }).CloseWrite)
}

// sshReverse lets the server listen, and serves what it accepts.
func sshReverse(t *testing.T, client *ssh.Client) {
	l, err := client.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	inBackground(t, func() error {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		return echo(c)
	})
	c := dial(t, l.Addr())
	roundTrip(t, c, 1<<20, c.(*net.TCPConn).CloseWrite)
}

// echo sends back what c receives, passes its end on, and closes c.
func echo(c net.Conn) error {
	defer c.Close()
	if _, err := io.Copy(c, c); err != nil {
		return err
	}
	return c.(interface{ CloseWrite() error }).CloseWrite()
}

// relay copies both ways between a and b, ends included, and closes them.
func relay(a, b io.ReadWriteCloser) {
	copied := make(chan struct{})
	half := func(dst, src io.ReadWriteCloser) {
		io.Copy(dst, src)
		dst.(interface{ CloseWrite() error }).CloseWrite()
	}
	go func() {
		defer close(copied)
		half(a, b)
	}()
	half(b, a)
	<-copied
	a.Close()
	b.Close()
}

// sshServer serves one client with sessions and forwarding.
type sshServer struct {
	t    *testing.T
	dial dialFunc
}

func (s *sshServer) serve(l net.Listener, hostKey ssh.Signer, user ssh.PublicKey) error {
	c, err := l.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	config := &ssh.ServerConfig{
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if string(key.Marshal()) != string(user.Marshal()) {
				return nil, errors.New("unknown key")
			}
			return nil, nil
		},
	}
	config.AddHostKey(hostKey)
	conn, chans, reqs, err := ssh.NewServerConn(c, config)
	if err != nil {
		s.t.Error(err)
		return err
	}
	go s.serveRequests(conn, reqs)
	for newChannel := range chans {
		go s.serveChannel(newChannel)
	}
	return nil
}

func (s *sshServer) serveChannel(newChannel ssh.NewChannel) {
	switch newChannel.ChannelType() {
	case "session":
		channel, reqs, err := newChannel.Accept()
		if err != nil {
			s.t.Error(err)
			return
		}
		for req := range reqs {
			req.Reply(req.Type == "exec", nil)
			if req.Type == "exec" {
				io.Copy(channel, channel)
				channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{7}))
				channel.Close()
			}
		}
	case "direct-tcpip": // RFC 4254, section 7.2
		var to struct {
			Host       string
			Port       uint32
			OriginHost string
			OriginPort uint32
		}
		if err := ssh.Unmarshal(newChannel.ExtraData(), &to); err != nil {
			s.t.Error(err)
			return
		}
		c, err := s.dial(s.t.Context(), "tcp", net.JoinHostPort(to.Host, strconv.Itoa(int(to.Port))))
		if err != nil {
			newChannel.Reject(ssh.ConnectionFailed, err.Error())
			return
		}
		channel, reqs, err := newChannel.Accept()
		if err != nil {
			s.t.Error(err)
			return
		}
		go ssh.DiscardRequests(reqs)
		relay(channel, c)
	default:
		newChannel.Reject(ssh.UnknownChannelType, newChannel.ChannelType())
	}
}

// serveRequests listens where the client asks for it and forwards one
// connection. See RFC 4254, section 7.1.
func (s *sshServer) serveRequests(conn ssh.Conn, reqs <-chan *ssh.Request) {
	for req := range reqs {
		if req.Type != "tcpip-forward" {
			req.Reply(req.Type == "cancel-tcpip-forward", nil)
			continue
		}
		var at struct {
			Host string
			Port uint32
		}
		if err := ssh.Unmarshal(req.Payload, &at); err != nil {
			s.t.Error(err)
		}
		l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", at.Host, at.Port))
		if err != nil {
			s.t.Error(err)
			req.Reply(false, nil)
			continue
		}
		port := uint32(l.Addr().(*net.TCPAddr).Port)
		req.Reply(true, ssh.Marshal(struct{ Port uint32 }{port}))
		go func() {
			c, err := l.Accept()
			l.Close()
			if err != nil {
				s.t.Error(err)
				return
			}
			ours(s.t, c)
			from := c.RemoteAddr().(*net.TCPAddr)
			channel, channelReqs, err := conn.OpenChannel("forwarded-tcpip", ssh.Marshal(struct {
				Host       string
				Port       uint32
				OriginHost string
				OriginPort uint32
			}{at.Host, port, from.IP.String(), uint32(from.Port)}))
			if err != nil {
				s.t.Error(err)
				return
			}
			go ssh.DiscardRequests(channelReqs)
			relay(channel, c)
		}()
	}
}
