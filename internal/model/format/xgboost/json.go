// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// json reads a value of JSON as XGBoost writes it, with NaN and Infinity. Numbers
// with a fraction or an exponent are float32, as there.
func (c *cursor) json(depth int) (any, error) {
	if depth == maxDepth {
		return nil, errDepth
	}
	if err := c.Work(1); err != nil {
		return nil, err
	}
	c.space()
	if c.at == len(c.data) {
		return nil, errEnd
	}
	switch c.data[c.at] {
	case '{':
		return c.jsonObject(depth)
	case '[':
		return c.jsonArray(depth)
	case '"':
		return c.jsonString()
	}
	return c.jsonWord()
}

func (c *cursor) space() {
	for c.at < len(c.data) && strings.IndexByte(" \t\r\n", c.data[c.at]) >= 0 {
		c.at++
	}
}

// next skips white space and one of the characters, which it returns.
func (c *cursor) next(of string) (byte, error) {
	c.space()
	switch {
	case c.at == len(c.data):
		return 0, errEnd
	case strings.IndexByte(of, c.data[c.at]) < 0:
		return 0, c.damaged()
	}
	c.at++
	return c.data[c.at-1], nil
}

// empty skips a bracket if it closes at once.
func (c *cursor) empty(closing byte) bool {
	c.at++
	c.space()
	if c.at < len(c.data) && c.data[c.at] == closing {
		c.at++
		return true
	}
	return false
}

func (c *cursor) jsonObject(depth int) (any, error) {
	o := object{}
	if c.empty('}') {
		return o, nil
	}
	for {
		c.space()
		if c.at == len(c.data) || c.data[c.at] != '"' {
			return nil, c.damaged()
		}
		name, err := c.jsonString()
		if err != nil {
			return nil, err
		}
		if _, err := c.next(":"); err != nil {
			return nil, err
		}
		if err := c.Alloc(2 * slotBytes); err != nil {
			return nil, err
		}
		v, err := c.json(depth + 1)
		if err != nil {
			return nil, err
		}
		o.put(c, name, v)
		switch end, err := c.next(",}"); {
		case err != nil:
			return nil, err
		case end == '}':
			return o, nil
		}
	}
}

func (c *cursor) jsonArray(depth int) (any, error) {
	var l list
	if c.empty(']') {
		return l.value(), nil
	}
	for {
		v, err := c.json(depth + 1)
		if err != nil {
			return nil, err
		}
		if err := l.add(c, v); err != nil {
			return nil, err
		}
		switch end, err := c.next(",]"); {
		case err != nil:
			return nil, err
		case end == ']':
			return l.value(), nil
		}
	}
}

func (c *cursor) jsonString() (string, error) {
	from := c.at
	for c.at++; c.at < len(c.data); c.at++ {
		switch c.data[c.at] {
		case '\\':
			c.at++
		case '"':
			c.at++
			quoted := c.data[from:c.at]
			if err := c.Alloc(len(quoted)); err != nil {
				return "", err
			}
			var s string
			if json.Unmarshal(quoted, &s) != nil {
				return "", c.damaged()
			}
			return s, nil
		}
	}
	return "", errEnd
}

func (c *cursor) jsonWord() (any, error) {
	from := c.at
	for c.at < len(c.data) && strings.IndexByte(",]} \t\r\n", c.data[c.at]) < 0 {
		c.at++
	}
	word := string(c.data[from:c.at])
	switch word {
	case "true", "false":
		return word == "true", nil
	case "null":
		return nil, nil
	case "NaN":
		return math.NaN(), nil
	case "Infinity", "-Infinity":
		return strconv.ParseFloat(word, 64)
	}
	bits := 64
	if strings.ContainsAny(word, ".eE") {
		bits = 32
	}
	v, err := strconv.ParseFloat(word, bits)
	if err != nil && !math.IsInf(v, 0) || strings.ContainsAny(word, "xXnN_") {
		return nil, c.damaged()
	}
	return v, nil
}
