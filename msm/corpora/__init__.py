"""Corpora: turns public, crawled or constructed text into documents, a tokenizer and token shards."""
