"""Starts the dashboard: `streamlit run dashboards/app.py -- --artifacts artifacts --results results`."""

from pathlib import Path

import streamlit as st

# The first page has the address /, the others their name.
PAGES = [
    st.Page("results_page.py", title="Results", icon=":material/grid_on:", default=True),
    st.Page("compare_page.py", title="Compare", icon=":material/compare_arrows:", url_path="compare"),
    st.Page("bias_page.py", title="Language bias", icon=":material/translate:", url_path="bias"),
    st.Page("ablations_page.py", title="Ablations", icon=":material/science:", url_path="ablations"),
    st.Page("search_page.py", title="Search", icon=":material/search:", url_path="search"),
    st.Page("lineage_page.py", title="Lineage", icon=":material/account_tree:", url_path="lineage"),
    st.Page("training_page.py", title="Training", icon=":material/show_chart:", url_path="training"),
]

# Streamlit leaves a hand's width free above the title, and on a telephone a line for every choice.
STYLE = """<style>
.stMainBlockContainer { padding-top: 4.5rem; padding-bottom: 3rem; }
@media (max-width: 640px) {
  .stMainBlockContainer { padding-left: 1rem; padding-right: 1rem; }
  [class*=st-key-filters] .stColumn { min-width: calc(50% - .5rem); flex: 1 1 calc(50% - .5rem); }
}
</style>"""

st.set_page_config(page_title="msm-bench", page_icon=Path(__file__).with_name("icon.svg"), layout="wide")
st.html(STYLE)
st.navigation(PAGES, position="top").run()
