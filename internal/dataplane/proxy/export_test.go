// SPDX-License-Identifier: Apache-2.0

package proxy

// Resting returns how many client connections are idle. A connection becomes idle a
// little after its client has the response.
func (s *Server) Resting() int {
	n := 0
	s.conns.each(func(c *conn) {
		if state, _ := c.idleState(); state == idle {
			n++
		}
	})
	return n
}
