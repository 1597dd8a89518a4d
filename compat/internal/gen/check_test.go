package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// promised are the methods and fields that package sockets adds to net's.
// An addition has to be a decision: programs ask conns for their methods.
var promised = map[string][]string{
	"Dialer": {"DialAddrs", "Format", "InputBufferSize", "NetNS", "Offload", "Options", "OutputBufferSize"},
	"IPConn": {"Connect", "Disconnect", "ReadBatch", "ReceiveFrom", "SendTo", "WriteBatch"},
	"ListenConfig": {
		"Adopt", "Backlog", "Format", "GroupOnly", "InputBufferSize", "ListenGroup", "ListenPacketGroup", "NetNS", "Offload", "Options", "OutputBufferSize",
		"PacketInfo", "ReplaceStale", "UnixMode", "UnixOwner",
	},
	"TCPConn":     {"ReadBuffers", "ReceiveFrom", "SendTo", "WriteBuffers"},
	"TCPListener": {"AcceptWith"},
	"UDPConn": {
		"Connect", "Disconnect", "ExcludeSourceSpecificGroup", "IncludeSourceSpecificGroup", "JoinGroup", "JoinSourceSpecificGroup", "LeaveGroup", "LeaveSourceSpecificGroup",
		"ReadBatch", "ReadErrorQueue", "ReadMsgSegments", "ReadSegments", "ReceiveFrom", "ReceiveFromAddrPort", "SendTo", "SendToAddrPort", "SetOffload",
		"WriteBatch", "WriteMsgSegments", "WriteSegments",
	},
	"UnixConn": {
		"Connect", "Disconnect", "ReadBatch", "ReadBuffers", "ReceiveCred", "ReceiveFD", "ReceiveFDs", "ReceiveFrom",
		"ReceiveRawFDs", "ReceiveSocket", "SendCred", "SendFD", "SendFDs", "SendRawFDs", "SendTo", "WriteBatch", "WriteBuffers",
	},
	"UnixListener": {"AcceptWith", "LeavePath"},
}

// TestFacade checks the files that Linux compiles, and those of a system
// without package sockets.
func TestFacade(t *testing.T) {
	const dir = "../.."
	imp, err := newImporter(dir, "net", socketsPath)
	if err != nil {
		t.Fatal(err)
	}
	for _, system := range []string{"linux", "darwin", "windows", "js", "plan9", "wasip1"} {
		t.Run(system, func(t *testing.T) {
			out, err := goCommand(dir, system, "list", "-e", "-f", `{{join .GoFiles "\n"}}`)
			if err != nil {
				t.Fatal(err)
			}
			sources := make(map[string]string)
			for _, name := range strings.Fields(out) {
				text, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				sources[name] = string(text)
			}
			c := checker{imp: imp, sockets: system == "linux" || system == "darwin"}
			for _, problem := range c.check(sources) {
				t.Error(problem)
			}
		})
	}
}

// checker compares the source of a facade with net and says what is wrong.
// It shares nothing with the generator but the table of overrides.
type checker struct {
	imp      types.Importer // of net and sockets
	sockets  bool           // the overridden types are those of sockets, else of net
	problems []string
}

func (c *checker) errorf(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

func (c *checker) check(sources map[string]string) []string {
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		file, err := parser.ParseFile(fset, name, sources[name], 0)
		if err != nil {
			c.errorf("%v", err)
			return c.problems
		}
		files = append(files, file)
	}
	net, err := c.imp.Import("net")
	if err != nil {
		c.errorf("%v", err)
		return c.problems
	}
	conf := types.Config{Importer: c.imp, Error: func(err error) { c.errorf("%v", err) }}
	facade, err := conf.Check("compat", fset, files, nil)
	if err != nil {
		return c.problems
	}
	for _, imported := range facade.Imports() {
		if imported.Path() == socketsPath && !c.sockets {
			c.errorf("package sockets is imported")
		}
	}

	for _, name := range facade.Scope().Names() {
		if obj := net.Scope().Lookup(name); obj == nil || !obj.Exported() {
			c.errorf("%s is not in net", name)
		}
	}
	for _, name := range net.Scope().Names() {
		want := net.Scope().Lookup(name)
		if !want.Exported() {
			continue
		}
		switch got := facade.Scope().Lookup(name); got := got.(type) {
		case nil:
			c.errorf("%s is missing", name)
		case *types.TypeName:
			c.checkType(got, want)
		case *types.Const:
			if _, ok := want.(*types.Const); !ok || !constant.Compare(got.Val(), token.EQL, want.(*types.Const).Val()) {
				c.errorf("%s has another value", name)
			}
			c.identical(name, got.Type(), want.Type())
		default:
			c.identical(name, got.Type(), want.Type())
		}
	}
	for _, file := range files {
		for _, decl := range file.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				c.checkForward(decl, net)
			case *ast.GenDecl:
				if decl.Tok == token.VAR {
					c.checkCopies(decl)
				}
			}
		}
	}
	return c.problems
}

// checkType checks that got is an alias of want, or of the type of sockets that
// takes its place and can do all that want can.
func (c *checker) checkType(got, want types.Object) {
	name := want.Name()
	if overrides[name] != "sockets" || !c.sockets {
		if !got.(*types.TypeName).IsAlias() || !types.Identical(got.Type(), want.Type()) {
			c.errorf("%s is not an alias of net.%s", name, name)
		}
		return
	}
	named, ok := types.Unalias(got.Type()).(*types.Named)
	if !ok || named.Obj().Pkg().Path() != socketsPath || named.Obj().Name() != name {
		c.errorf("%s is not an alias of sockets.%s", name, name)
		return
	}
	ours, theirs := members(got.Type()), members(want.Type())
	for member, t := range theirs {
		full := name + "." + member
		if ours[member] == nil {
			c.errorf("%s is missing", full)
			continue
		}
		c.identical(full, ours[member], t)
	}
	for member := range ours {
		if theirs[member] == nil && !slices.Contains(promised[name], member) {
			c.errorf("%s.%s is neither net's nor promised", name, member)
		}
	}
}

// members returns the types of the exported methods and fields of t.
func members(t types.Type) map[string]types.Type {
	m := make(map[string]types.Type)
	for sel := range types.NewMethodSet(types.NewPointer(t)).Methods() {
		if sel.Obj().Exported() {
			m[sel.Obj().Name()] = sel.Obj().Type()
		}
	}
	if s, ok := t.Underlying().(*types.Struct); ok {
		for field := range s.Fields() {
			if field.Exported() {
				m[field.Name()] = field.Type()
			}
		}
	}
	return m
}

// identical checks that got is want but for the types that sockets replaces.
func (c *checker) identical(name string, got, want types.Type) {
	if want = c.replace(want); !types.Identical(got, want) {
		c.errorf("%s is a %v, want %v", name, got, want)
	}
}

// replace returns t with the types of sockets in the place of net's. It does
// not look into literals of struct and interface types, which net's signatures
// do not have.
func (c *checker) replace(t types.Type) types.Type {
	if !c.sockets {
		return t
	}
	switch t := types.Unalias(t).(type) {
	case *types.Named:
		if obj := t.Obj(); obj.Pkg() != nil && obj.Pkg().Path() == "net" && overrides[obj.Name()] == "sockets" {
			sockets, err := c.imp.Import(socketsPath)
			if err != nil {
				c.errorf("%v", err)
				return t
			}
			if ours := sockets.Scope().Lookup(obj.Name()); ours != nil {
				return ours.Type()
			}
		}
		return t
	case *types.Pointer:
		return types.NewPointer(c.replace(t.Elem()))
	case *types.Slice:
		return types.NewSlice(c.replace(t.Elem()))
	case *types.Array:
		return types.NewArray(c.replace(t.Elem()), t.Len())
	case *types.Map:
		return types.NewMap(c.replace(t.Key()), c.replace(t.Elem()))
	case *types.Chan:
		return types.NewChan(t.Dir(), c.replace(t.Elem()))
	case *types.Signature:
		return types.NewSignatureType(nil, nil, nil, c.replaceTuple(t.Params()), c.replaceTuple(t.Results()), t.Variadic())
	default:
		return t
	}
}

func (c *checker) replaceTuple(tuple *types.Tuple) *types.Tuple {
	var vars []*types.Var
	for v := range tuple.Variables() {
		vars = append(vars, types.NewParam(v.Pos(), v.Pkg(), v.Name(), c.replace(v.Type())))
	}
	return types.NewTuple(vars...)
}

// socketType matches the types of net, as written in a signature, whose values
// are or may be sockets.
var socketType = regexp.MustCompile(`\bnet\.(\w*Conn|\w*Listener)\b`)

// checkForward checks that a function does nothing but pass its parameters, in
// their order, to its namesake, and that this is not net's if it makes sockets.
func (c *checker) checkForward(decl *ast.FuncDecl, net *types.Package) {
	name := decl.Name.Name
	var args []string
	for _, field := range decl.Type.Params.List {
		for _, param := range field.Names {
			args = append(args, param.Name)
		}
	}
	call := onlyCall(decl)
	if call == nil {
		c.errorf("%s does more than to call its namesake", name)
		return
	}
	var passed []string
	for _, arg := range call.Args {
		passed = append(passed, types.ExprString(arg))
	}
	if !slices.Equal(args, passed) {
		c.errorf("%s takes %v and passes %v", name, args, passed)
	}
	target := types.ExprString(call.Fun)
	if target != "net."+name && target != "sockets."+name {
		c.errorf("%s calls %s", name, target)
	}
	want := net.Scope().Lookup(name)
	if want == nil || !c.sockets || target != "net."+name || overrides[name] != "" {
		return
	}
	if fn, ok := want.(*types.Func); ok && socketType.MatchString(fn.Signature().Results().String()) {
		c.errorf("%s makes a socket and calls net's", name)
	}
}

// onlyCall returns the call that is all of decl's body.
func onlyCall(decl *ast.FuncDecl) *ast.CallExpr {
	if len(decl.Body.List) != 1 {
		return nil
	}
	var expr ast.Expr
	switch stmt := decl.Body.List[0].(type) {
	case *ast.ExprStmt:
		expr = stmt.X
	case *ast.ReturnStmt:
		if len(stmt.Results) == 1 {
			expr = stmt.Results[0]
		}
	}
	call, _ := expr.(*ast.CallExpr)
	return call
}

// checkCopies checks that variables start as their namesakes in net.
func (c *checker) checkCopies(decl *ast.GenDecl) {
	for _, spec := range decl.Specs {
		spec := spec.(*ast.ValueSpec)
		for i, name := range spec.Names {
			if name.Name == "_" {
				continue // inline.go
			}
			if i >= len(spec.Values) || types.ExprString(spec.Values[i]) != "net."+name.Name {
				c.errorf("%s is not a copy of net's", name.Name)
			}
		}
	}
}

// The sample is a small net with the sockets that replace it.
const (
	sampleNet = `package net

type Conn interface{ Read([]byte) (int, error) }
type IP []byte
type TCPConn struct{ fd int }
type Dialer struct{ Timeout int }

func (c *TCPConn) Read(b []byte) (int, error) { return 0, nil }
func (c *TCPConn) Pair(func(*TCPConn)) []*TCPConn { return nil }
func (d *Dialer) Dial(network, address string) (Conn, error) { return nil, nil }

const IPv4len = 4
var Err, Other error
func Dial(network, address string) (Conn, error) { return nil, nil }
func DialTCP(network, address string) (*TCPConn, error) { return nil, nil }
func Join(host, port string) string { return "" }
func Pipe() (Conn, Conn) { return nil, nil }
`
	sampleSockets = `package sockets

import "net"

type TCPConn struct{ file int }
type Dialer struct{ Timeout int; Options []int }

func (c *TCPConn) Read(b []byte) (int, error) { return 0, nil }
func (c *TCPConn) Pair(func(*TCPConn)) []*TCPConn { return nil }
func (c *TCPConn) SendTo() {}
func (d *Dialer) Dial(network, address string) (net.Conn, error) { return nil, nil }

func Dial(network, address string) (net.Conn, error) { return nil, nil }
func Dial2(network, address string) (net.Conn, error) { return nil, nil }
func DialTCP(network, address string) (*TCPConn, error) { return nil, nil }
`
)

// sampleImporter imports packages that were checked from source.
type sampleImporter map[string]*types.Package

func (imp sampleImporter) Import(path string) (*types.Package, error) {
	if pkg := imp[path]; pkg != nil {
		return pkg, nil
	}
	return nil, fmt.Errorf("no package %s", path)
}

// add checks the package that text is and keeps it.
func (imp sampleImporter) add(t *testing.T, path, text string) {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path+".go", text, 0)
	if err != nil {
		t.Fatal(err)
	}
	conf := types.Config{Importer: imp}
	if imp[path], err = conf.Check(path, fset, []*ast.File{file}, nil); err != nil {
		t.Fatal(err)
	}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name     string
		in       string // the file to edit: net, sockets, net.go or sockets.go
		old, new string
		want     string // a problem; none if empty
	}{
		{name: "faithful"},
		{"new function", "net", "func Pipe", "func Fresh(); func Pipe", "Fresh is missing"},
		{"function removed", "net.go", "func Join(host string, port string) string {\n\treturn net.Join(host, port)\n}", "", "Join is missing"},
		{"type removed", "net.go", "type IP = net.IP", "", "IP is missing"},
		{"name too many", "net.go", "const (", "const (\nMore = 1", "More is not in net"},
		{"arguments swapped", "net.go", "Join(host, port)", "Join(port, host)", "Join takes [host port] and passes [port host]"},
		{"another function", "sockets.go", "sockets.Dial(", "sockets.Dial2(", "Dial calls sockets.Dial2"},
		{"code of its own", "net.go", "return net.Join(host, port)", `return ""`, "Join does more than to call its namesake"},
		{"socket made by net", "sockets.go", "sockets.Dial(", "net.Dial(", "Dial makes a socket and calls net's"},
		{"signature", "net.go", "string) string", "string) (joined any)", "Join is a func"},
		{"type redefined", "net.go", "type IP = net.IP", "type IP net.IP", "IP is not an alias of net.IP"},
		{"type not replaced", "sockets.go", "type Dialer = sockets.Dialer", "type Dialer = net.Dialer", "Dialer is not an alias of sockets.Dialer"},
		{"constant with a type", "net.go", "IPv4len = net.IPv4len", "IPv4len int = net.IPv4len", "IPv4len is a int"},
		{"another constant", "net.go", "IPv4len = net.IPv4len", "IPv4len = 5", "IPv4len has another value"},
		{"another variable", "net.go", "Err   = net.Err", "Err   = net.Other", "Err is not a copy of net's"},
		{"method removed", "sockets", "func (c *TCPConn) Read(b []byte) (int, error) { return 0, nil }", "", "TCPConn.Read is missing"},
		{"signature of a method", "sockets", "Read(b []byte) (int, error)", "Read(b []byte) (int64, error)", "TCPConn.Read is a func"},
		{"nested type not replaced", "sockets", "Pair(func(*TCPConn)) []*TCPConn", "Pair(func(*TCPConn)) []*net.TCPConn", "TCPConn.Pair is a func"},
		{"method too many", "sockets", "SendTo()", "CloseWrite()", "TCPConn.CloseWrite is neither net's nor promised"},
		{"field removed", "sockets", "Timeout int; ", "", "Dialer.Timeout is missing"},
		{"type of a field", "sockets", "Timeout int", "Timeout int64", "Dialer.Timeout is a int64"},
		{"field too many", "sockets", "Options []int", "Verbose bool", "Dialer.Verbose is neither net's nor promised"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			edit := func(file, text string) string {
				if file != tt.in {
					return text
				}
				if !strings.Contains(text, tt.old) {
					t.Fatalf("%s has no %q:\n%s", file, tt.old, text)
				}
				return strings.Replace(text, tt.old, tt.new, 1)
			}
			base := make(sampleImporter)
			base.add(t, "net", sampleNet)
			files, err := generate(base["net"], releases{})
			if err != nil {
				t.Fatal(err)
			}
			delete(files, "other.go")
			sources := make(map[string]string)
			for name, text := range files {
				sources[name] = edit(name, string(text))
			}
			if tt.in == "sockets.go" {
				// The edited file may use net, and must use what it imports.
				sources[tt.in] = strings.Replace(sources[tt.in], "import (", "import (\n\"net\"", 1) + "\nvar _ net.IP\n"
			}
			imp := make(sampleImporter)
			imp.add(t, "net", edit("net", sampleNet))
			imp.add(t, socketsPath, edit("sockets", sampleSockets))
			c := checker{imp: imp, sockets: true}
			problems := c.check(sources)
			if tt.want == "" && len(problems) > 0 || !strings.Contains(strings.Join(problems, "\n"), tt.want) {
				t.Errorf("problems %q, want %q", problems, tt.want)
			}
		})
	}
}
