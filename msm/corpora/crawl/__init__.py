"""Makes training shards of Common Crawl and other crawled files, on datatrove; see docs/corpus.md."""
