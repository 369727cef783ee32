package main

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"
)

// The plot: both axes in steps of ten, a line for each series, its name at the right.
const (
	plotWidth, plotHeight         = 860, 480
	plotLeft, plotRight           = 70, 210
	plotTop, plotBottom           = 50, 50
	lineHeight                    = 16
	backColour, gridColour, black = "#ffffff", "#dddddd", "#222222"
)

// colours can be told apart by those who do not see all of them (the palette of Okabe and Ito).
var colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999"}

// plane turns numbers into places on the picture.
type plane struct{ minX, maxX, minY, maxY float64 }

func (p plane) x(v float64) float64 {
	return plotLeft + (math.Log10(v)-p.minX)/(p.maxX-p.minX)*(plotWidth-plotLeft-plotRight)
}

func (p plane) y(v float64) float64 {
	return plotHeight - plotBottom - (math.Log10(v)-p.minY)/(p.maxY-p.minY)*(plotHeight-plotTop-plotBottom)
}

// writeSVG draws the curve.
func (c curveResult) writeSVG(w io.Writer) error {
	p, ok := c.plane()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n",
		plotWidth, plotHeight)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="%s"/>`+"\n", backColour)
	fmt.Fprintf(&b, `<text x="%d" y="24" font-size="16" fill="%s">%s, records per second</text>`+"\n",
		plotLeft, black, html.EscapeString(c.Title))
	if ok {
		c.axes(&b, p)
		c.lines(&b, p)
	} else {
		fmt.Fprintf(&b, `<text x="%d" y="%d">nothing was measured</text>`+"\n", plotLeft, plotHeight/2)
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// plane returns the powers of ten that hold all points; without a point there is none.
func (c curveResult) plane() (p plane, ok bool) {
	p = plane{minX: math.Inf(1), maxX: math.Inf(-1), minY: math.Inf(1), maxY: math.Inf(-1)}
	for _, s := range c.Series {
		for _, at := range s.Points {
			x, y := math.Log10(float64(at.At)), math.Log10(at.Rate)
			p.minX, p.maxX = min(p.minX, x), max(p.maxX, x)
			p.minY, p.maxY = min(p.minY, math.Floor(y)), max(p.maxY, math.Floor(y)+1)
			ok = true
		}
	}
	if p.maxX == p.minX {
		p.maxX++
	}
	return p, ok
}

func (c curveResult) axes(b *strings.Builder, p plane) {
	line := func(x1, y1, x2, y2 float64) {
		fmt.Fprintf(b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", x1, y1, x2, y2, gridColour)
	}
	for power := p.minY; power <= p.maxY; power++ {
		y := p.y(math.Pow(10, power))
		line(plotLeft, y, plotWidth-plotRight, y)
		fmt.Fprintf(b, `<text x="%d" y="%.1f" text-anchor="end" fill="%s">%s</text>`+"\n",
			plotLeft-8, y+4, black, plainCount(math.Pow(10, power)))
	}
	seen := map[int]bool{}
	for _, s := range c.Series {
		for _, at := range s.Points {
			if seen[at.At] {
				continue
			}
			seen[at.At] = true
			x := p.x(float64(at.At))
			line(x, plotTop, x, plotHeight-plotBottom)
			fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle" fill="%s">%d</text>`+"\n",
				x, plotHeight-plotBottom+18, black, at.At)
		}
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle" fill="%s">%s</text>`+"\n",
		(plotLeft+plotWidth-plotRight)/2, plotHeight-12, black, html.EscapeString(c.Axis))
}

func (c curveResult) lines(b *strings.Builder, p plane) {
	for i, s := range c.Series {
		if len(s.Points) == 0 {
			continue
		}
		colour := colours[i%len(colours)]
		var path []string
		for _, at := range s.Points {
			x, y := p.x(float64(at.At)), p.y(at.Rate)
			path = append(path, fmt.Sprintf("%.1f,%.1f", x, y))
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"><title>%s: %d %s, %s/s</title></circle>`+"\n",
				x, y, colour, html.EscapeString(s.Name), at.At, html.EscapeString(c.Axis), count(at.Rate))
		}
		fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(path, " "), colour)
		y := plotTop + (i+1)*lineHeight*3/2
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="12" height="12" fill="%s"/>`+"\n", plotWidth-plotRight+16, y-11, colour)
		fmt.Fprintf(b, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", plotWidth-plotRight+34, y, black, html.EscapeString(s.Name))
	}
}

// plainCount writes a power of ten as an axis has it.
func plainCount(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.0fM", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%.0fk", v/1e3)
	}
	return fmt.Sprintf("%.0f", v)
}
