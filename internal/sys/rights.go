package sys

import "encoding/binary"

// MaxRights is how many descriptors one message carries: SCM_MAX_FD in unix(7).
const MaxRights = 253

// Ucred are the credentials of a process, unix(7).
type Ucred struct {
	PID      int
	UID, GID uint32
}

// AppendRights appends the control message for n descriptors, which PutRight
// fills in.
func AppendRights(oob []byte, n int) (all, data []byte) {
	return AppendCmsg(oob, SOL_SOCKET, SCM_RIGHTS, 4*n)
}

// PutRight makes fd descriptor i of data.
func PutRight(data []byte, i int, fd uintptr) {
	binary.NativeEndian.PutUint32(data[4*i:], uint32(fd))
}

// AppendCred appends the control message with credentials, which is empty where
// the system has none.
func AppendCred(oob []byte, c Ucred) []byte {
	if SCM_CREDENTIALS < 0 {
		return oob
	}
	oob, data := AppendCmsg(oob, SOL_SOCKET, SCM_CREDENTIALS, ucredSize)
	binary.NativeEndian.PutUint32(data, uint32(c.PID))
	binary.NativeEndian.PutUint32(data[4:], c.UID)
	binary.NativeEndian.PutUint32(data[8:], c.GID)
	return oob
}

const ucredSize = 12

// Received is what came beside the data of a message in the unix domain.
type Received struct {
	Rights  []int // the receiver's; nothing else is a descriptor
	PIDFD   int   // the receiver's, -1 if there is none
	Cred    Ucred
	HasCred bool
	Unknown bool // a control message of another kind, or none at all
	Lost    bool // all descriptors of a message: gVisor had no number for the first
}

// Parse reads control data. What it finds is added to r.Rights. Whatever bytes
// oob holds, no number is taken for a descriptor unless it is in a message that
// carries descriptors.
func (r *Received) Parse(oob []byte) {
	r.PIDFD, r.HasCred, r.Unknown, r.Lost = -1, false, false, false
	for len(oob) > 0 {
		c, rest, ok := NextCmsg(oob)
		if !ok {
			r.Unknown = true
			return
		}
		oob = rest
		if c.Level != SOL_SOCKET || c.Type < 0 { // what this system lacks has a negative number
			r.Unknown = true
			continue
		}
		switch c.Type {
		case SCM_RIGHTS:
			r.Unknown = r.Unknown || len(c.Data)%4 != 0
			r.Lost = r.Lost || len(c.Data) == 0
			for d := c.Data; len(d) >= 4; d = d[4:] {
				r.addRight(int(int32(binary.NativeEndian.Uint32(d))))
			}
		case SCM_CREDENTIALS:
			if len(c.Data) != ucredSize {
				r.Unknown = true
				break
			}
			r.HasCred = true
			r.Cred = Ucred{
				PID: int(int32(binary.NativeEndian.Uint32(c.Data))),
				UID: binary.NativeEndian.Uint32(c.Data[4:]),
				GID: binary.NativeEndian.Uint32(c.Data[8:]),
			}
		case SCM_PIDFD:
			if len(c.Data) != 4 || r.PIDFD >= 0 {
				r.Unknown = true
				break
			}
			// Negative if the kernel could not open one.
			r.PIDFD = max(-1, int(int32(binary.NativeEndian.Uint32(c.Data))))
		case SCM_SECURITY:
		default:
			r.Unknown = true
		}
	}
}

func (r *Received) addRight(fd int) {
	if fd < 0 {
		r.Unknown = true
		return
	}
	r.Rights = append(r.Rights, fd)
}
