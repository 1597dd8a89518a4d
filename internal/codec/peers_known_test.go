package codec

// knownDifferences are all differences between our tables and those of the
// others, with the reason for ours. TestPeers fails for one that is not here,
// and for an entry that none is of any more.
var knownDifferences = []knownDifference{
	// ISO 8859 and Windows
	{
		"iso-8859-2 iso-8859-3 iso-8859-4 iso-8859-5 iso-8859-6 iso-8859-6-e iso-8859-6-i iso-8859-7 iso-8859-8 iso-8859-8-e iso-8859-8-i iso-8859-10 iso-8859-13 iso-8859-14 iso-8859-15 iso-8859-16",
		"x/text", "80-9f", lacks, "the C1 controls of ISO 6429, which IANA's ISO-8859-n have",
	},
	{
		"windows-1250 windows-1251 windows-1252 windows-1253 windows-1254 windows-1255 windows-1257 windows-1258 windows-874",
		"x/text python iconv", "80-9f", lacks, "WHATWG's index and Microsoft's converter have the C1 controls in the gaps",
	},
	{"windows-1255", "python iconv", "ca", lacks, "WHATWG's index and Microsoft's converter have U+05BA there"},
	{"windows-1255", "iconv", "c0c0-ffff f9ccd1-f9ccd2", writes, "a letter in one character is written as two, which are read as two: no round trip"},
	{"windows-1258", "iconv", "41cc-ffff", writes, "a letter in one character is written as two, which are read as two: no round trip"},
	{"koi8-u", "python iconv", "ae be", reads, "WHATWG's KOI8-U has the Belarusian letter, as KOI8-RU"},

	// Macintosh
	{"macintosh", "iconv", "c6 f0", reads, "Apple's own table: increment and the Apple logo in the corporate zone"},
	{"x-mac-cyrillic", "iconv", "ff", reads, "Apple put the euro sign there in 1998, as WHATWG has it"},
	{"x-mac-icelandic", "iconv", "a0-f7", reads, "glibc's MAC-IS is of RFC 1345; this is Apple's table, as in Python"},

	// EBCDIC: IBM's own tables, from ICU. glibc has most of them from RFC 1345,
	// which was made by hand.
	{"cp1026", "iconv", "9d bc", reads, "cedilla and macron, as in ICU and Python"},
	{"cp1132", "iconv", "70", reads, "kip sign; glibc has k twice"},
	{"cp1160", "iconv", "ed-ef", writes, "glibc writes the second of two codes"},
	{"cp273", "python", "bc", reads, "macron, as in ICU and glibc"},
	{"cp278", "iconv", "71 e0", reads, "RFC 1345 has the two exchanged"},
	{"cp285", "iconv", "a1", reads, "macron, as in IBM's table"},
	{"cp290", "iconv", "40-ff", reads, "half-width katakana, small letters and signs of IBM's table; RFC 1345 has full-width ones and no small letters"},
	{"cp420", "iconv", "45", lacks, "the tail of IBM's table"},
	{"cp424", "iconv", "78 8f", reads, "as in ICU and Python"},
	{"cp870", "iconv", "b0", reads, "dot above, as in IBM's table"},
	{"cp871", "iconv", "4a c0", reads, "RFC 1345 has the two exchanged"},
	{"cp875", "iconv", "6a 74 dd", reads, "as in ICU and Python"},
	{"cp875", "python", "dc e1 ec-ed fc-fd", reads, "no characters; Python reads SUB"},

	// DOS
	{"cp856", "iconv", "1a 1c 7f", reads, "ASCII; IBM's tables of PC pages turn three controls round"},
	{"cp856", "iconv", "ee fa", reads, "as in Python"},

	// Chinese
	{"big5", "python iconv", "8740-fefe", lacks, "WHATWG's Big5 is HKSCS-2008 with the control pictures of Eten"},
	{"big5", "python iconv", "a145-a3fe", reads, "WHATWG's choice among look-alikes, which is Microsoft's"},
	{"big5", "iconv", "80", reads, "no character in WHATWG's Big5"},
	{
		"gb18030 gbk", "x/text", "a140-a39f a3a1-a7fe a896-a8fe a958-a9a3 a9f0-a9fe aaa1-affe d7fa-d7fe f8a1-fefe", lacks,
		"private characters by the rule of the standard, and what GB 18030-2022 has put in their places",
	},
	{"gb18030 gbk gb18030-2005", "x/text whatwg", "a3a0", reads, "GB 18030 has U+E5E5; WHATWG reads an ideographic space"},
	{"gbk", "python iconv", "80 a140-fefe", lacks, "WHATWG's GBK has the two-byte characters of GB 18030, and the euro sign of Windows"},
	{"gb18030", "x/text python iconv", "8135f437 82359037-82359134 84318236-84318335", reads, "the edition of 2022: these are private now; 8135F437 of 2005 already"},
	{"gb18030 gbk", "whatwg python", "a6d9-a6f3 fe59-fea0", reads, "the edition of 2022"},
	{"gb18030 gb18030-2005", "python", "a8bc", reads, "the edition of 2005; Python has that of 2000"},
	{"gb18030-2005", "python", "8135f437", reads, "the edition of 2005; Python has that of 2000"},
	{"gb18030 gb18030-2005", "python iconv", "80", lacks, "the euro sign of Windows, as WHATWG's"},
	{"gb18030 gb18030-2005", "iconv", "fe51-fe91", reads, "the standard, all editions, keeps six private; glibc reads the characters of Extension B"},
	{"gb18030-2005", "iconv", "a6d9-a6f3 fe59-fea0 82359037-82359134 84318236-84318335", reads, "glibc has the edition of 2022 there"},
	{"hz-gb-2312", "python", "2124 212a", reads, "GBK's, as Microsoft's: middle dot, em dash"},
	{"hz-gb-2312", "python", "2221-2840", lacks, "GBK's additions to GB 2312"},
	{"hz-gb-2312", "python", "7e7e", reads, "no character; Python reads a tilde in either state"},

	// Japanese: JIS X 0208 the way Microsoft and WHATWG map it
	{"euc-jp", "python", "a1c1-a1f2 a2cc 8fa2b7", reads, "WHATWG's look-alikes: FULLWIDTH TILDE and so on"},
	{"euc-jp", "python", "ada1-adfc f9a1-fcfe", lacks, "NEC's row 13 and IBM's kanji"},
	{"euc-jp", "iconv", "80-9f", reads, "no character in WHATWG's EUC-JP"},
	{"euc-jp", "iconv", "f5a1-fefe", reads, "eucJP-ms has user-defined rows, WHATWG IBM's kanji"},
	{"euc-jp", "iconv", "8fa2c3 8ff3f3-8ffefe", reads, "eucJP-ms has IBM's characters and user-defined rows behind JIS X 0212"},
	{"iso-2022-jp", "python iconv", "@2141-@224c B2141-B224c D2237", reads, "WHATWG's look-alikes: FULLWIDTH TILDE and so on"},
	{"iso-2022-jp", "python", "D2121-D7e7e", writes, "JIS X 0212 is read, and written never: RFC 1468 does not have it"},
	{"iso-2022-jp", "python iconv", "@2d21-@2d7c @7921-@7c7e B2d21-B2d7c B7921-B7c7e", lacks, "NEC's row 13 and IBM's kanji"},
	{"iso-2022-jp", "x/text python iconv", "0e 0f I0e I0f J0e J0f", reads, "SO and SI change the set in other ISO 2022 encodings"},
	{"iso-2022-jp", "iconv", "J1b", reads, "ESC is no text"},
	{"iso-2022-jp", "python iconv", "1b", writes, "ESC as text would change the set of what follows"},
	{"iso-2022-jp", "x/text", "J5c J7e", reads, "JIS X 0201 Roman has yen and overline"},
	{"iso-2022-jp", "x/text iconv", "I00-I1f", lacks, "controls are controls in every set"},
	{"iso-2022-jp", "iconv", "D2121-D7e7e I20-I7f", lacks, "glibc's ISO-2022-JP has neither JIS X 0212 nor katakana"},
	{"shift_jis", "x/text", "f040-f9fc", lacks, "the user-defined area of code page 932"},
	{"shift_jis", "x/text python", "ed40-fc4b", writes, "IBM's kanji are written from FA40 on, as Microsoft and WHATWG do"},
	{"shift_jis", "x/text", "80", writes, "WHATWG's Shift_JIS has U+0080; x/text reads it and does not write it"},
	{"shift_jis", "iconv", "80", lacks, "WHATWG's Shift_JIS has U+0080"},
	{"shift_jis", "python", "a0 fd-ff", reads, "no characters; Microsoft's converter passes them as U+F8F0 to U+F8F3"},
}
