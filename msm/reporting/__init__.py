"""Tables, reports and exports of scores, and the published numbers beside them."""
