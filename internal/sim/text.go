package sim

import (
	"bufio"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Text writes the plan, a line for each thing that happens.
func (p *Plan) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "plan %d step=%t hot=%d unflushed=%d budget=%d wait=%t\n",
		p.Seed, p.Step, p.Setting.HotFileSize, p.Setting.MaxUnflushed, p.Setting.Budget, p.Setting.Wait)
	for _, l := range p.Lives {
		fmt.Fprintf(&b, "life %d points=%d noise=%d end=%s after=%d\n", l.Seed, l.Points, l.Noise, l.End.Kind, l.End.After)
		for _, f := range l.Faults {
			fmt.Fprintf(&b, "  fail %s %d\n", f.Kind, f.N)
		}
		for _, c := range l.Clients {
			b.WriteString("  client\n")
			for _, o := range c {
				fmt.Fprintf(&b, "    %s\n", o)
			}
		}
	}
	return b.String()
}

// String writes the operation as it stands in a plan.
func (o Op) String() string {
	s := fmt.Sprintf("%s %d", o.Kind, o.Stream)
	switch o.Kind {
	case DoAppend:
		s += " " + o.Mode.String()
		if o.Expect != ExpectNothing {
			s += " " + o.Expect.String()
		}
		if o.Timed {
			s += " timed"
		}
		if o.Keep {
			s += " kept"
		}
		for _, n := range o.Lengths {
			s += " " + strconv.Itoa(n)
		}
	case DoRead, DoFollow, DoTrim, DoFull, DoSince, DoKeep, DoResume, DoClock:
		s += " " + strconv.Itoa(o.Arg)
	}
	return s
}

// ParsePlan reads what Text wrote. Lines that start with # are comments.
func ParsePlan(text string) (*Plan, error) {
	p := new(Plan)
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %q: %w", n, line, err)
		}
	}
	if len(p.Lives) == 0 {
		return nil, fmt.Errorf("a plan without a life")
	}
	return p, nil
}

// line takes one line of a plan.
func (p *Plan) line(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "plan":
		return p.head(rest)
	case "life":
		var l Life
		var end string
		_, err := fmt.Sscanf(rest, "%d points=%d noise=%d end=%s after=%d", &l.Seed, &l.Points, &l.Noise, &end, &l.End.After)
		if err != nil {
			return err
		}
		kind, err := index(endNames[:], end)
		l.End.Kind = EndKind(kind)
		p.Lives = append(p.Lives, l)
		return err
	}
	if len(p.Lives) == 0 {
		return fmt.Errorf("before the first life")
	}
	l := &p.Lives[len(p.Lives)-1]
	switch word {
	case "fail":
		var name string
		var f Fault
		if _, err := fmt.Sscanf(rest, "%s %d", &name, &f.N); err != nil {
			return err
		}
		kind, err := index(failNames[:], name)
		f.Kind = FaultKind(kind)
		l.Faults = append(l.Faults, f)
		return err
	case "client":
		l.Clients = append(l.Clients, nil)
		return nil
	}
	if len(l.Clients) == 0 {
		return fmt.Errorf("before the first client")
	}
	op, err := parseOp(strings.Fields(line))
	c := &l.Clients[len(l.Clients)-1]
	*c = append(*c, op)
	return err
}

// head takes the line that a plan begins with. One that says nothing of budgets has
// none.
func (p *Plan) head(rest string) error {
	o := &p.Setting
	n, err := fmt.Sscanf(rest, "%d step=%t hot=%d unflushed=%d budget=%d wait=%t",
		&p.Seed, &p.Step, &o.HotFileSize, &o.MaxUnflushed, &o.Budget, &o.Wait)
	if n == 4 && !strings.Contains(rest, "budget") {
		return nil
	}
	return err
}

func parseOp(words []string) (op Op, err error) {
	kind, err := index(opNames[:], words[0])
	if err != nil {
		return op, fmt.Errorf("not an operation: %w", err)
	}
	if len(words) < 2 {
		return op, fmt.Errorf("not an operation: a stream is missing")
	}
	op.Kind = OpKind(kind)
	if op.Stream, err = strconv.Atoi(words[1]); err != nil {
		return op, err
	}
	words = words[2:]
	if op.Kind == DoAppend && len(words) > 0 {
		if err := op.parseAppend(words); err != nil {
			return op, err
		}
		words = nil
	}
	if len(words) > 0 {
		op.Arg, err = strconv.Atoi(words[0])
	}
	if op.Kind == DoAppend && len(op.Lengths) == 0 {
		return op, fmt.Errorf("an append of nothing")
	}
	return op, err
}

// parseAppend takes what stands behind the stream of an append.
func (o *Op) parseAppend(words []string) error {
	mode, err := index(modeNames, words[0])
	if err != nil {
		return err
	}
	o.Mode, words = Mode(mode), words[1:]
	if len(words) > 0 && strings.HasPrefix(words[0], "if-") {
		expect, err := index(expectNames[:], words[0])
		if err != nil {
			return err
		}
		o.Expect, words = Expect(expect), words[1:]
	}
	if len(words) > 0 && words[0] == "timed" {
		o.Timed, words = true, words[1:]
	}
	if len(words) > 0 && words[0] == "kept" {
		o.Keep, words = true, words[1:]
	}
	for _, w := range words {
		n, err := strconv.Atoi(w)
		if err != nil || n < 0 {
			return fmt.Errorf("not a length: %q", w)
		}
		o.Lengths = append(o.Lengths, n)
	}
	return nil
}

func index(names []string, name string) (int, error) {
	if i := slices.Index(names, name); i >= 0 {
		return i, nil
	}
	return 0, fmt.Errorf("%q is none of %v", name, names)
}
