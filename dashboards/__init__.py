"""Shows results, comparisons, lineage and trainings in the browser, with Streamlit."""
