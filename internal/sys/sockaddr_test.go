package sys

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSockaddrInternet(t *testing.T) {
	var sa Sockaddr
	if errno := sa.SetInet4([4]byte{192, 0, 2, 7}, 53); errno != 0 {
		t.Fatal(errno)
	}
	ip4, port := sa.Inet4()
	if sa.Family() != AF_INET || ip4 != [4]byte{192, 0, 2, 7} || port != 53 || sa.Port() != 53 {
		t.Errorf("family %d, %v, port %d", sa.Family(), ip4, port)
	}
	want := [16]byte{0xfe, 0x80, 15: 1}
	if errno := sa.SetInet6(want, 65535, 3); errno != 0 {
		t.Fatal(errno)
	}
	ip6, port, scope := sa.Inet6()
	if sa.Family() != AF_INET6 || ip6 != want || port != 65535 || scope != 3 {
		t.Errorf("family %d, %v, port %d, scope %d", sa.Family(), ip6, port, scope)
	}
	sa.SetPort(1)
	if sa.Port() != 1 {
		t.Errorf("port %d after SetPort(1)", sa.Port())
	}
	for _, port := range []int{-1, 65536} {
		if sa.SetInet4([4]byte{}, port) != EINVAL || sa.SetInet6([16]byte{}, port, 0) != EINVAL {
			t.Errorf("port %d is taken", port)
		}
	}
	sa.Reset()
	if sa.Family() != AF_UNSPEC || len(sa.Bytes()) != 0 {
		t.Errorf("after Reset: family %d, %d bytes", sa.Family(), len(sa.Bytes()))
	}
}

func TestSockaddrUnix(t *testing.T) {
	tests := []struct {
		name     string
		want     string // as read back
		size     int    // bytes in use; abstract names only exist on Linux
		abstract bool
	}{
		{"", "", 2, false},
		{"/tmp/s", "/tmp/s", 2 + 7, false},
		{strings.Repeat("x", unixPathSize-1), strings.Repeat("x", unixPathSize-1), 2 + unixPathSize, false},
		{"@a", "@a", 2 + 2, true},
		{"\x00a", "@a", 2 + 2, true},
		{"@a\x00b\x00", "@a\x00b\x00", 2 + 5, true},
		{"@" + strings.Repeat("x", unixPathSize-1), "@" + strings.Repeat("x", unixPathSize-1), 2 + unixPathSize, true},
	}
	for _, tt := range tests {
		if tt.abstract && !hasAbstract {
			continue
		}
		var sa Sockaddr
		if errno := sa.SetUnix(tt.name); errno != 0 {
			t.Errorf("%q: %v", tt.name, errno)
			continue
		}
		if diff := cmp.Diff(tt.want, sa.Unix()); diff != "" || sa.Family() != AF_UNIX || len(sa.Bytes()) != tt.size {
			t.Errorf("%q: family %d, %d bytes, want %d (-want +got):\n%s", tt.name, sa.Family(), len(sa.Bytes()), tt.size, diff)
		}
	}
	for _, name := range []string{
		strings.Repeat("x", unixPathSize), "@" + strings.Repeat("x", unixPathSize), "a\x00b",
	} {
		var sa Sockaddr
		if errno := sa.SetUnix(name); errno != EINVAL {
			t.Errorf("%q: %v, want EINVAL", name, errno)
		}
	}
}

func TestSockaddrTooLong(t *testing.T) {
	var sa Sockaddr
	if errno := sa.SetBytes(make([]byte, sockaddrSize)); errno != 0 || len(sa.Bytes()) != sockaddrSize {
		t.Errorf("the longest address: %v, %d bytes", errno, len(sa.Bytes()))
	}
	if errno := sa.SetBytes(make([]byte, sockaddrSize+1)); errno != EINVAL {
		t.Errorf("too long an address: %v, want EINVAL", errno)
	}
	// The kernel tells a length beyond the buffer for an address it has cut.
	sa.len = sockaddrSize + 1
	if len(sa.Bytes()) != sockaddrSize {
		t.Errorf("%d bytes of a cut address", len(sa.Bytes()))
	}
}

// FuzzSockaddr reads whatever a kernel may write, and checks that unix names come
// back as they were.
func FuzzSockaddr(f *testing.F) {
	for _, name := range []string{"", "/tmp/s", "@a\x00"} {
		var sa Sockaddr
		sa.SetUnix(name)
		f.Add(append([]byte(nil), sa.Bytes()...))
	}
	var sa Sockaddr
	sa.SetInet6([16]byte{1}, 80, 2)
	f.Add(append([]byte(nil), sa.Bytes()...))
	f.Fuzz(func(t *testing.T, b []byte) {
		var sa Sockaddr
		if errno := sa.SetBytes(b); errno != 0 {
			if len(b) <= sockaddrSize {
				t.Fatal(errno)
			}
			return
		}
		sa.Inet4()
		sa.Inet6()
		sa.Port()
		if !bytes.Equal(sa.Bytes(), b) {
			t.Fatal("the bytes have changed")
		}
		if sa.Family() != AF_UNIX {
			return
		}
		name := sa.Unix()
		var again Sockaddr
		// sun_path is shorter than the storage, and only there.
		if errno := again.SetUnix(name); errno != 0 {
			if len(name) < unixPathSize && !strings.HasPrefix(name, "@") {
				t.Errorf("name %q: %v", name, errno)
			}
			return
		}
		if again.Unix() != name {
			t.Errorf("%q became %q", name, again.Unix())
		}
	})
}
