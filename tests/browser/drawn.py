"""When a page of the console is drawn, and what it weighed, as JavaScript to be run in it."""

# the page is connected, nothing on it waits for its figures, and every chart has a picture
DRAWN = """() => window.did_handshake && !document.querySelector("[aria-busy=true]")
  && [...document.querySelectorAll(".chart")].every((one) => one.querySelector("svg, canvas"))"""

# what all that a page consists of weighs, compressed as it came, be it from the browser's cache this time; to each come
# 300 bytes of head, as in the specification of Resource Timing
WEIGHT = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .reduce((sum, one) => sum + one.encodedBodySize + 300, 0)"""
