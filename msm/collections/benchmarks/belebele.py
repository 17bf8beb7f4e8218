"""Belebele as retrieval: 900 questions and 488 passages of news and travel guides, the same in 122 languages.

Belebele's own task is to choose one of four answers; as retrieval it is scored as in MTEB (BelebeleRetrieval):
ndcg@10 on the passages of one language. `belebele` asks each language's questions of its own passages.
`belebele_parallel` asks them of the passages of all languages that are chosen (`--languages ar,de,en`), in one pool,
where the passage in every language is relevant; with all 122 languages it has 13.4 million judgements, a few
gigabytes of memory.
"""

from dataclasses import replace

from msm.collections.benchmark import Benchmark, PublishedSizes
from msm.collections.readers.belebele import language_of, read, read_parallel

CODES = (
    "acm_Arab afr_Latn als_Latn amh_Ethi apc_Arab arb_Arab arb_Latn ars_Arab ary_Arab arz_Arab asm_Beng azj_Latn "
    "bam_Latn ben_Beng ben_Latn bod_Tibt bul_Cyrl cat_Latn ceb_Latn ces_Latn ckb_Arab dan_Latn deu_Latn ell_Grek "
    "eng_Latn est_Latn eus_Latn fin_Latn fra_Latn fuv_Latn gaz_Latn grn_Latn guj_Gujr hat_Latn hau_Latn heb_Hebr "
    "hin_Deva hin_Latn hrv_Latn hun_Latn hye_Armn ibo_Latn ilo_Latn ind_Latn isl_Latn ita_Latn jav_Latn jpn_Jpan "
    "kac_Latn kan_Knda kat_Geor kaz_Cyrl kea_Latn khk_Cyrl khm_Khmr kin_Latn kir_Cyrl kor_Hang lao_Laoo lin_Latn "
    "lit_Latn lug_Latn luo_Latn lvs_Latn mal_Mlym mar_Deva mkd_Cyrl mlt_Latn mri_Latn mya_Mymr nld_Latn nob_Latn "
    "npi_Deva npi_Latn nso_Latn nya_Latn ory_Orya pan_Guru pbt_Arab pes_Arab plt_Latn pol_Latn por_Latn ron_Latn "
    "rus_Cyrl shn_Mymr sin_Latn sin_Sinh slk_Latn slv_Latn sna_Latn snd_Arab som_Latn sot_Latn spa_Latn srp_Cyrl "
    "ssw_Latn sun_Latn swe_Latn swh_Latn tam_Taml tel_Telu tgk_Cyrl tgl_Latn tha_Thai tir_Ethi tsn_Latn tso_Latn "
    "tur_Latn ukr_Cyrl urd_Arab urd_Latn uzn_Latn vie_Latn war_Latn wol_Latn xho_Latn yor_Latn zho_Hans zho_Hant "
    "zsm_Latn zul_Latn"
).split()

BENCHMARK = Benchmark(
    name="belebele",
    title="Belebele",
    protocol="belebele",
    reader=read,
    measures=("ndcg@10", "recall@10"),
    sources=("arXiv:2308.16884", "github.com/facebookresearch/belebele", "MTEB's BelebeleRetrieval"),
    split="test",
    counts={language_of(code): PublishedSizes(900, 488) for code in CODES},
    by_language=True,
)
PARALLEL = replace(
    BENCHMARK,
    name="belebele_parallel",
    title="Belebele, one pool",
    protocol="belebele, one pool of the chosen languages",
    reader=read_parallel,
    measures=("map", "recall@10", "rank_distance"),
    language_measures=("ndcg@10", "recall@10"),
)
