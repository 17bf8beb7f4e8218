"""Makes tables, reports and exports of scores, with published numbers beside them."""
