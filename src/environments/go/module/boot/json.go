package boot

// json reads the JSON of LOAD, which the platform has written: nothing else is ever given to it.
type json struct {
	text []byte
	at   int
}

func (j *json) next() byte {
	for j.at < len(j.text) {
		c := j.text[j.at]
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' && c != ',' && c != ':' {
			return c
		}
		j.at++
	}
	return 0
}

// object calls member with each name; member must read or skip the value.
func (j *json) object(member func(name string)) {
	if j.next() != '{' {
		j.skip()
		return
	}
	j.at++
	for j.next() == '"' {
		member(j.str())
	}
	j.at++
}

func (j *json) str() string {
	if j.next() != '"' {
		j.skip()
		return ""
	}
	j.at++
	var out []byte
	for j.at < len(j.text) && j.text[j.at] != '"' {
		c := j.text[j.at]
		j.at++
		if c != '\\' {
			out = append(out, c)
			continue
		}
		c = j.text[j.at]
		j.at++
		switch c {
		case 'n':
			out = append(out, '\n')
		case 't':
			out = append(out, '\t')
		case 'r':
			out = append(out, '\r')
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'u':
			out = append(out, string(j.rune())...)
		default:
			out = append(out, c)
		}
	}
	j.at++
	return string(out)
}

// rune reads what follows \u, with its second half where it is one of a pair.
func (j *json) rune() rune {
	first := j.hex()
	if first < 0xd800 || first > 0xdbff || j.at+6 > len(j.text) || j.text[j.at] != '\\' {
		return first
	}
	j.at += 2
	return (first-0xd800)<<10 + (j.hex() - 0xdc00) + 0x10000
}

func (j *json) hex() rune {
	var value rune
	for i := 0; i < 4 && j.at < len(j.text); i++ {
		c := rune(j.text[j.at])
		j.at++
		switch {
		case c >= 'a':
			value = value<<4 + c - 'a' + 10
		case c >= 'A':
			value = value<<4 + c - 'A' + 10
		default:
			value = value<<4 + c - '0'
		}
	}
	return value
}

func (j *json) skip() {
	depth := 0
	for j.at < len(j.text) {
		switch j.next() {
		case '"':
			j.str()
		case '{', '[':
			depth++
			j.at++
		case '}', ']':
			depth--
			j.at++
		default:
			for j.at < len(j.text) {
				c := j.text[j.at]
				if c == ',' || c == '}' || c == ']' || c == ':' {
					break
				}
				j.at++
			}
		}
		if depth <= 0 {
			return
		}
	}
}
