//go:build cgo && icu

package main

/*
#cgo LDFLAGS: -licuuc
#include <stdlib.h>
#include <unicode/ucnv.h>

enum { pivot = 4096 };

typedef struct {
	UConverter *to, *from;
	UChar between[pivot], *source, *target;
} converter;

static converter *converter_open(const char *to, const char *from) {
	UErrorCode e = U_ZERO_ERROR;
	converter *c = calloc(1, sizeof *c);
	c->to = ucnv_open(to, &e);
	c->from = ucnv_open(from, &e);
	ucnv_setToUCallBack(c->from, UCNV_TO_U_CALLBACK_STOP, NULL, NULL, NULL, &e);
	ucnv_setFromUCallBack(c->to, UCNV_FROM_U_CALLBACK_STOP, NULL, NULL, NULL, &e);
	c->source = c->target = c->between;
	if (U_SUCCESS(e))
		return c;
	free(c);
	return NULL;
}

static void converter_close(converter *c) {
	ucnv_close(c->to);
	ucnv_close(c->from);
	free(c);
}

static int converter_convert(converter *c, const char *in, size_t *inleft, char *out, size_t *outleft) {
	UErrorCode e = U_ZERO_ERROR;
	const char *s = in;
	char *t = out;
	ucnv_convertEx(c->to, c->from, &t, out + *outleft, &s, in + *inleft,
		c->between, &c->source, &c->target, c->between + pivot, 0, 0, &e);
	*inleft -= s - in;
	*outleft -= t - out;
	return U_FAILURE(e) ? e : 0;
}
*/
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"
)

// icuWays are the International Components for Unicode, Debian's libicu-dev.
var icuWays = []textWay{foreignWay("ICU", map[string]string{
	"cp037": "ibm-37", "euc-kr": "windows-949", "gb18030": "GB18030", "iso-8859-1": "ISO-8859-1", "shift_jis": "windows-31j",
	"utf-16le": "UTF-16LE", "utf-8,strict": "UTF-8", "windows-1251": "windows-1251",
}, openICU)}

type icu struct{ c *C.converter }

func openICU(to, from string) (converter, error) {
	cTo, cFrom := C.CString(to), C.CString(from)
	defer C.free(unsafe.Pointer(cTo))
	defer C.free(unsafe.Pointer(cFrom))
	c := &icu{C.converter_open(cTo, cFrom)}
	if c.c == nil {
		return nil, fmt.Errorf("ICU cannot convert %q to %q", from, to)
	}
	runtime.AddCleanup(c, func(c *C.converter) { C.converter_close(c) }, c.c)
	return c.convert, nil
}

func (c *icu) convert(dst, src []byte) (nDst, nSrc int, full bool, err error) {
	in, out := C.size_t(len(src)), C.size_t(len(dst))
	code := C.converter_convert(c.c, (*C.char)(unsafe.Pointer(unsafe.SliceData(src))), &in, (*C.char)(unsafe.Pointer(unsafe.SliceData(dst))), &out)
	switch code {
	case C.U_BUFFER_OVERFLOW_ERROR:
		full = true
	case 0:
	default:
		err = fmt.Errorf("ICU: %s", C.GoString(C.u_errorName(C.UErrorCode(code))))
	}
	return len(dst) - int(out), len(src) - int(in), full, err
}
