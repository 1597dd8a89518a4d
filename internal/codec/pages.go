package codec

// pages are the code pages that x/text lacks.
//
// # EBCDIC line ends
//
// In all EBCDIC pages, x/text's as well, byte 15 (NL) is U+0085 and byte 25
// (LF) is U+000A. That is IBM's own registration of each page (CDRA), which
// keeps both bytes apart, so that a text comes back as it was; glibc, ICU and
// Python have the same. A host that ends its lines with NL, as z/OS does, is
// what the line style NEL is for. No page swaps the two: what z/OS UNIX calls
// IBM-1047 with a line feed at 15 is cp1047 with the style NEL here.
var pages = []page{
	// EBCDIC, Latin
	{"cp273", pageCp273, "ebcdicde", []int{273, 20273}},
	{"cp277", pageCp277, "ebcdiccpdk ebcdiccpno", []int{277, 20277}},
	{"cp278", pageCp278, "ebcdiccpfi ebcdiccpse", []int{278, 20278}},
	{"cp280", pageCp280, "ebcdiccpit", []int{280, 20280}},
	{"cp284", pageCp284, "ebcdiccpes", []int{284, 20284}},
	{"cp285", pageCp285, "ebcdiccpgb", []int{285, 20285}},
	{"cp297", pageCp297, "ebcdiccpfr", []int{297, 20297}},
	{"cp500", pageCp500, "ebcdiccpbe ebcdiccpch ebcdicinternational", []int{500}},
	{"cp870", pageCp870, "ebcdiccproece ebcdiccpyu", []int{870}},
	{"cp871", pageCp871, "ebcdiccpis", []int{871, 20871}},
	{"cp905", pageCp905, "ebcdiccptr", []int{905, 20905}},
	{"cp1026", pageCp1026, "", []int{1026}},
	{"cp1112", pageCp1112, "", []int{1112}},
	{"cp1122", pageCp1122, "", []int{1122}},
	{"cp1130", pageCp1130, "", []int{1130}},
	// with the euro sign
	{"cp1141", pageCp1141, "ebcdicde273+euro", []int{1141}},
	{"cp1142", pageCp1142, "ebcdicdk277+euro ebcdicno277+euro", []int{1142}},
	{"cp1143", pageCp1143, "ebcdicfi278+euro ebcdicse278+euro", []int{1143}},
	{"cp1144", pageCp1144, "ebcdicit280+euro", []int{1144}},
	{"cp1145", pageCp1145, "ebcdices284+euro", []int{1145}},
	{"cp1146", pageCp1146, "ebcdicgb285+euro", []int{1146}},
	{"cp1147", pageCp1147, "ebcdicfr297+euro", []int{1147}},
	{"cp1148", pageCp1148, "ebcdicinternational500+euro", []int{1148}},
	{"cp1149", pageCp1149, "ebcdicis871+euro", []int{1149}},
	{"cp1153", pageCp1153, "", []int{1153}},
	{"cp1155", pageCp1155, "", []int{1155}},
	{"cp1156", pageCp1156, "", []int{1156}},
	{"cp1157", pageCp1157, "", []int{1157}},
	{"cp1164", pageCp1164, "", []int{1164}},
	// EBCDIC, other scripts
	{"cp290", pageCp290, "ebcdicjpkana", []int{290, 20290}},
	{"cp420", pageCp420, "ebcdiccpar1", []int{420, 20420}},
	{"cp423", pageCp423, "ebcdiccpgr", []int{423, 20423}},
	{"cp424", pageCp424, "ebcdiccphe", []int{424, 20424}},
	{"cp803", pageCp803, "", []int{803}},
	{"cp875", pageCp875, "", []int{875}},
	{"cp880", pageCp880, "ebcdiccyrillic", []int{880, 20880}},
	{"cp1025", pageCp1025, "", []int{1025, 21025}},
	{"cp1097", pageCp1097, "", []int{1097}},
	{"cp1123", pageCp1123, "", []int{1123}},
	{"cp1132", pageCp1132, "", []int{1132}},
	{"cp1137", pageCp1137, "", []int{1137}},
	{"cp1154", pageCp1154, "", []int{1154}},
	{"cp1158", pageCp1158, "", []int{1158}},
	{"cp1160", pageCp1160, "", []int{1160}},
	{"cp4971", pageCp4971, "", []int{4971}},
	{"cp12712", pageCp12712, "", []int{12712}},
	{"cp16804", pageCp16804, "", []int{16804}},
	// DOS
	{"cp720", pageCp720, "", []int{720}},
	{"cp737", pageCp737, "", []int{737}},
	{"cp775", pageCp775, "cspc775baltic", []int{775}},
	{"cp856", pageCp856, "", []int{856}},
	{"cp857", pageCp857, "", []int{857}},
	{"cp861", pageCp861, "cpis", []int{861}},
	{"cp864", pageCp864, "", []int{864}},
	{"cp869", pageCp869, "cpgr", []int{869}},
	{"cp1125", pageCp1125, "cp866u ruscii", []int{1125}},
	// Macintosh
	{"x-mac-ce", pageXMacCe, "macce maccentraleurope xmaccentraleurroman maclatin2", []int{10029, 1282}},
	{"x-mac-croatian", pageXMacCroatian, "maccroatian", []int{10082, 1284}},
	{"x-mac-greek", pageXMacGreek, "macgreek", []int{10006, 1280}},
	{"x-mac-icelandic", pageXMacIcelandic, "macicelandic maciceland macis", []int{10079, 1286}},
	{"x-mac-romanian", pageXMacRomanian, "macromanian macromania", []int{10010, 1285}},
	{"x-mac-turkish", pageXMacTurkish, "macturkish", []int{10081, 1281}},
	// Others
	{"dec-mcs", pageDecMcs, "dec csdecmcs decmultinational", []int{1100}},
	{"hp-roman8", pageHpRoman8, "roman8 r8 cshproman8", []int{1051}},
	{"iso-8859-11", pageIso885911, "iso8859112001 isoir166 thai tis620 tis6200 tis62025290 tis62025291 tis62025330 cstis620", []int{28601}},
}
