"""The dashboard: `streamlit run dashboards/app.py -- --artifacts artifacts --results results`. Pages, nothing else."""

import streamlit as st

PAGES = [
    st.Page("results_page.py", title="Results", icon=":material/grid_on:", url_path="results", default=True),
    st.Page("lineage_page.py", title="Lineage", icon=":material/account_tree:", url_path="lineage"),
    st.Page("training_page.py", title="Training", icon=":material/show_chart:", url_path="training"),
]

st.set_page_config(page_title="msm-bench", page_icon=":material/grid_on:", layout="wide")
st.navigation(PAGES, position="top").run()
