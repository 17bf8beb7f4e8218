"""From Common Crawl to training shards, on datatrove; see docs/corpus.md."""
