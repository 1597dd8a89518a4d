//go:build linux

package sys

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func join(parts ...[]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// native returns the bytes of an int of the kernel's.
func native(n int32) []byte { return binary.NativeEndian.AppendUint32(nil, uint32(n)) }

// control returns a control message made by hand.
func control(level, typ, length int, data ...byte) []byte {
	// length is as on 64-bit systems
	if length > 0 && cmsgLenSize == 4 {
		length -= 4
	}
	var h [unix.SizeofCmsghdr]byte
	putCmsgLen(h[:], length)
	binary.NativeEndian.PutUint32(h[cmsgLenSize:], uint32(level))
	binary.NativeEndian.PutUint32(h[cmsgLenSize+4:], uint32(typ))
	b := append(h[:], data...)
	for len(b)%cmsgLenSize != 0 {
		b = append(b, 0)
	}
	return b
}

func TestParse(t *testing.T) {
	rights := unix.UnixRights(5, 6, 7)
	cred := AppendCred(nil, Ucred{PID: 5, UID: 6, GID: 7})
	pidfd := control(unix.SOL_SOCKET, unix.SCM_PIDFD, 20, native(9)...)
	label := control(unix.SOL_SOCKET, unix.SCM_SECURITY, 19, 'a', 'b', 'c')
	tests := []struct {
		name string
		oob  []byte
		want Received
	}{
		{"nothing", nil, Received{PIDFD: -1}},
		{"rights", rights, Received{Rights: []int{5, 6, 7}, PIDFD: -1}},
		{"rights without padding", rights[:unix.CmsgLen(12)], Received{Rights: []int{5, 6, 7}, PIDFD: -1}},
		{"two of rights", join(rights, unix.UnixRights(8)), Received{Rights: []int{5, 6, 7, 8}, PIDFD: -1}},
		{"no rights", unix.UnixRights(), Received{PIDFD: -1, Lost: true}},
		{"credentials", cred, Received{PIDFD: -1, HasCred: true, Cred: Ucred{5, 6, 7}}},
		{"as Linux orders them", join(cred, label, rights, pidfd), Received{Rights: []int{5, 6, 7}, PIDFD: 9, HasCred: true, Cred: Ucred{5, 6, 7}}},
		{"pidfd that failed", control(unix.SOL_SOCKET, unix.SCM_PIDFD, 20, native(-3)...), Received{PIDFD: -1}},
		{"two pidfds", join(pidfd, pidfd), Received{PIDFD: 9, Unknown: true}},
		{"another type", control(unix.SOL_SOCKET, 99, 20, native(5)...), Received{PIDFD: -1, Unknown: true}},
		{"another level", join(control(unix.SOL_UDP, unix.SCM_RIGHTS, 20, native(5)...), rights), Received{Rights: []int{5, 6, 7}, PIDFD: -1, Unknown: true}},
		{"part of a descriptor", control(unix.SOL_SOCKET, unix.SCM_RIGHTS, 22, append(native(5), 6, 0)...), Received{Rights: []int{5}, PIDFD: -1, Unknown: true}},
		{"negative descriptor", control(unix.SOL_SOCKET, unix.SCM_RIGHTS, 20, native(-1)...), Received{PIDFD: -1, Unknown: true}},
		{"part of credentials", control(unix.SOL_SOCKET, unix.SCM_CREDENTIALS, 24, append(native(5), native(6)...)...), Received{PIDFD: -1, Unknown: true}},
		{"part of a header", rights[:15], Received{PIDFD: -1, Unknown: true}},
		{"length beyond the end", control(unix.SOL_SOCKET, unix.SCM_RIGHTS, 25, native(5)...), Received{PIDFD: -1, Unknown: true}},
		{"length within the header", control(unix.SOL_SOCKET, unix.SCM_RIGHTS, 15, native(5)...), Received{PIDFD: -1, Unknown: true}},
		{"length zero", make([]byte, 64), Received{PIDFD: -1, Unknown: true}},
		{"huge length", control(unix.SOL_SOCKET, unix.SCM_RIGHTS, -1, native(5)...), Received{PIDFD: -1, Unknown: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got Received
			got.Parse(tt.oob)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("mismatch (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAppendRights(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, MaxRights} {
		var fds []int
		got, data := AppendRights(nil, n)
		for i := range n {
			fds = append(fds, 100+i)
			PutRight(data, i, uintptr(100+i))
		}
		if diff := cmp.Diff(unix.UnixRights(fds...), got); diff != "" {
			t.Errorf("%d descriptors: mismatch (-want +got):\n%s", n, diff)
		}
	}
	want := unix.UnixCredentials(&unix.Ucred{Pid: 1, Uid: 2, Gid: 3})
	if diff := cmp.Diff(want, AppendCred(nil, Ucred{PID: 1, UID: 2, GID: 3})); diff != "" {
		t.Errorf("credentials mismatch (-want +got):\n%s", diff)
	}
}

// FuzzParse compares with the parser of x/sys, where that understands what there is.
func FuzzParse(f *testing.F) {
	f.Add(unix.UnixRights(5, 6, 7))
	f.Add(join(AppendCred(nil, Ucred{1, 2, 3}), unix.UnixRights(5), control(unix.SOL_SOCKET, unix.SCM_PIDFD, 20, native(9)...)))
	f.Add(control(unix.SOL_SOCKET, unix.SCM_RIGHTS, 25, native(5)...))
	f.Add(control(unix.SOL_UDP, 104, 20, native(5)...))
	f.Fuzz(func(t *testing.T, oob []byte) {
		var got Received
		got.Parse(oob)
		for _, fd := range got.Rights {
			if fd < 0 {
				t.Errorf("descriptor %d", fd)
			}
		}
		if len(oob)%8 != 0 {
			return // where the other panics
		}
		msgs, err := unix.ParseSocketControlMessage(oob)
		if err != nil {
			return
		}
		var want []int
		for _, m := range msgs {
			if m.Header.Level != unix.SOL_SOCKET || m.Header.Type != unix.SCM_RIGHTS {
				continue
			}
			m.Data = m.Data[:len(m.Data)&^3] // of the rest it makes a panic, too
			fds, err := unix.ParseUnixRights(&m)
			if err != nil {
				t.Fatal(err)
			}
			for _, fd := range fds {
				if int32(fd) >= 0 {
					want = append(want, int(int32(fd)))
				}
			}
		}
		if diff := cmp.Diff(want, got.Rights); diff != "" {
			t.Errorf("descriptors mismatch (-want +got):\n%s", diff)
		}
	})
}
