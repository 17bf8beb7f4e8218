"""Speed against the usual way of doing the same: one process, interleaved, equal outputs checked."""
