// SPDX-License-Identifier: Apache-2.0

package proxy

// Resting returns how many client connections are idle: a little later than their
// clients think.
func (s *Server) Resting() int {
	n := 0
	s.conns.each(func(c *conn) {
		if state, _ := c.resting(); state == idle {
			n++
		}
	})
	return n
}
