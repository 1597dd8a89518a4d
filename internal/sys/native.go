package sys

import (
	"encoding/binary"
	"strconv"
	"unsafe"
)

// wordSize is the size of a long of the kernel's interface.
const wordSize = strconv.IntSize / 8

// littleEndian says that bit fields start at the low end of a byte.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// A Reader takes the fields of a kernel structure off its front, and gives zeros once
// it is too short for one: kernels append fields to structures.
type Reader []byte

// Next returns the next n bytes.
func (r *Reader) Next(n int) []byte {
	if len(*r) < n {
		*r = nil
		return make([]byte, n)
	}
	b := (*r)[:n]
	*r = (*r)[n:]
	return b
}

func (r *Reader) Uint8() uint8   { return r.Next(1)[0] }
func (r *Reader) Uint16() uint16 { return binary.NativeEndian.Uint16(r.Next(2)) }
func (r *Reader) Uint32() uint32 { return binary.NativeEndian.Uint32(r.Next(4)) }
func (r *Reader) Uint64() uint64 { return binary.NativeEndian.Uint64(r.Next(8)) }

// Int returns an int, which has 32 bits on every system.
func (r *Reader) Int() int { return int(int32(r.Uint32())) }

// Uword returns an unsigned long.
func (r *Reader) Uword() uint64 {
	if wordSize == 4 {
		return uint64(r.Uint32())
	}
	return r.Uint64()
}

// Bits returns the next byte with its bit fields in the order of declaration, the
// first at the low end. widths are those of the fields; they fill the byte.
func (r *Reader) Bits(widths ...int) []uint8 {
	b := r.Uint8()
	fields := make([]uint8, len(widths))
	at := 0
	for i, w := range widths {
		shift := at
		if !littleEndian {
			shift = 8 - at - w
		}
		fields[i] = b >> shift & (1<<w - 1)
		at += w
	}
	return fields
}

func AppendUint16(b []byte, v uint16) []byte { return binary.NativeEndian.AppendUint16(b, v) }
func AppendUint32(b []byte, v uint32) []byte { return binary.NativeEndian.AppendUint32(b, v) }

// AppendInt appends an int; the kernel sees v's low 32 bits.
func AppendInt(b []byte, v int) []byte { return AppendUint32(b, uint32(v)) }

// AppendUword appends an unsigned long.
func AppendUword(b []byte, v uint64) []byte {
	if wordSize == 4 {
		return AppendUint32(b, uint32(v))
	}
	return binary.NativeEndian.AppendUint64(b, v)
}

// Bytes returns the memory of *p, which must hold no pointers.
func Bytes[T any](p *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(p)), unsafe.Sizeof(*p))
}
