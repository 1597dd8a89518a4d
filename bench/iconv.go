//go:build cgo && linux

package main

/*
#include <errno.h>
#include <iconv.h>
#include <stdlib.h>

static int convert(iconv_t cd, char *in, size_t *inleft, char *out, size_t *outleft) {
	if (iconv(cd, &in, inleft, &out, outleft) != (size_t)-1)
		return 0;
	return errno;
}
*/
import "C"

import (
	"fmt"
	"runtime"
	"syscall"
	"unsafe"
)

// iconvWays are the C library's iconv(3).
var iconvWays = []textWay{foreignWay("iconv", map[string]string{
	"cp037": "IBM037", "euc-kr": "CP949", "gb18030": "GB18030", "iso-8859-1": "ISO-8859-1", "shift_jis": "CP932",
	"utf-16le": "UTF-16LE", "utf-8,strict": "UTF-8", "windows-1251": "CP1251",
}, openIconv)}

type iconv struct{ cd C.iconv_t }

func openIconv(to, from string) (converter, error) {
	cTo, cFrom := C.CString(to), C.CString(from)
	defer C.free(unsafe.Pointer(cTo))
	defer C.free(unsafe.Pointer(cFrom))
	cd, err := C.iconv_open(cTo, cFrom)
	if err != nil {
		return nil, fmt.Errorf("iconv from %q to %q: %w", from, to, err)
	}
	c := &iconv{cd}
	runtime.AddCleanup(c, func(cd C.iconv_t) { C.iconv_close(cd) }, cd)
	return c.convert, nil
}

func (c *iconv) convert(dst, src []byte) (nDst, nSrc int, full bool, err error) {
	in, out := C.size_t(len(src)), C.size_t(len(dst))
	errno := C.convert(c.cd, (*C.char)(unsafe.Pointer(unsafe.SliceData(src))), &in, (*C.char)(unsafe.Pointer(unsafe.SliceData(dst))), &out)
	switch errno {
	case C.E2BIG:
		full = true
	case 0, C.EINVAL: // src ends within a character
	default:
		err = syscall.Errno(errno)
	}
	return len(dst) - int(out), len(src) - int(in), full, err
}
