package sys

// ParsePktinfo4 reads a struct in_pktinfo, ip(7).
func ParsePktinfo4(b []byte) (index int, local, dst [4]byte, ok bool) {
	if len(b) < 12 {
		return 0, local, dst, false
	}
	r := Reader(b)
	index, local, dst = r.Int(), [4]byte(r.Next(4)), [4]byte(r.Next(4))
	if !TellsSpecDst {
		local = dst
	}
	return index, local, dst, true
}

// AppendPktinfo4 appends a control message with a struct in_pktinfo, or with the
// address alone where that is what the system has, ip(4) of the BSDs.
func AppendPktinfo4(oob []byte, index int, local [4]byte) []byte {
	switch {
	case IP_PKTINFO >= 0:
		oob, data := AppendCmsg(oob, IPPROTO_IP, IP_PKTINFO, 12)
		copy(data, AppendInt(nil, index))
		copy(data[4:], local[:])
		return oob
	case IP_RECVDSTADDR >= 0 && local != [4]byte{}:
		oob, data := AppendCmsg(oob, IPPROTO_IP, IP_RECVDSTADDR, 4)
		copy(data, local[:])
		return oob
	}
	return oob
}

// ParsePktinfo6 reads a struct in6_pktinfo, RFC 3542 section 6.
func ParsePktinfo6(b []byte) (index int, local [16]byte, ok bool) {
	if len(b) < 20 {
		return 0, local, false
	}
	r := Reader(b)
	local = [16]byte(r.Next(16))
	return r.Int(), local, true
}

// AppendPktinfo6 appends a control message with a struct in6_pktinfo.
func AppendPktinfo6(oob []byte, index int, local [16]byte) []byte {
	if IPV6_PKTINFO < 0 {
		return oob
	}
	oob, data := AppendCmsg(oob, IPPROTO_IPV6, IPV6_PKTINFO, 20)
	copy(data, local[:])
	copy(data[16:], AppendInt(nil, index))
	return oob
}

// AppendIntCmsg appends a control message with an int.
func AppendIntCmsg(oob []byte, level, typ, v int) []byte {
	oob, data := AppendCmsg(oob, level, typ, 4)
	copy(data, AppendInt(nil, v))
	return oob
}

// AppendTOS appends the control message with a type of service for IPv4, whose size
// is not the same everywhere.
func AppendTOS(oob []byte, tos uint8) []byte {
	if IP_TOS_SIZE != 1 {
		return AppendIntCmsg(oob, IPPROTO_IP, IP_TOS, int(tos))
	}
	oob, data := AppendCmsg(oob, IPPROTO_IP, IP_TOS, 1)
	data[0] = tos
	return oob
}

// AppendUint64Cmsg appends a control message with 64 bits.
func AppendUint64Cmsg(oob []byte, level, typ int, v uint64) []byte {
	oob, data := AppendCmsg(oob, level, typ, 8)
	copy(data, Bytes(&v))
	return oob
}

// ParseIntCmsg reads an int, or the byte that some systems have instead.
func ParseIntCmsg(b []byte) (v int, ok bool) {
	if len(b) == 0 {
		return 0, false
	}
	if len(b) < 4 {
		return int(b[0]), true
	}
	r := Reader(b)
	return r.Int(), true
}

// packetInfoOptions are the options that make received datagrams come with their
// addresses, traffic class and hop limit, of IPv4 and of IPv6.
var packetInfoOptions = [...][]string{
	{"IP_PKTINFO", "IP_RECVTOS", "IP_RECVTTL"},
	{"IPV6_RECVPKTINFO", "IPV6_RECVTCLASS", "IPV6_RECVHOPLIMIT"},
}

// SetPacketInfo turns on control data for received datagrams. What a socket of the
// family lacks beside the addresses is left out.
func SetPacketInfo(fd uintptr, family int) error {
	on := AppendInt(nil, 1)
	if family == AF_INET6 {
		for _, name := range packetInfoOptions[1] {
			if o, ok := OptFind(name); ok {
				if err := OptSet(fd, &o, on); err != nil {
					return err
				}
			}
		}
	}
	// IPv6 sockets have those of IPv4 for their IPv4 peers, where the system knows
	// such; the addresses come in IPv6 form.
	for i, name := range packetInfoOptions[0] {
		if family == AF_INET6 && (i == 0 || !MapsIPv4) {
			continue
		}
		o, ok := OptFind(name)
		if !ok && i == 0 {
			o, ok = Opt{Level: IPPROTO_IP, Num: IP_RECVDSTADDR}, IP_RECVDSTADDR >= 0
		}
		if !ok {
			continue
		}
		if err := OptSet(fd, &o, on); err != nil && family == AF_INET {
			return err
		}
	}
	return nil
}
