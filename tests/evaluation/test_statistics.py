import numpy as np
import pytest
import scipy.stats

from msm.evaluation.statistics import (
    RankInterval,
    bootstrap,
    columns,
    compare,
    holm,
    intervals,
    language_means,
    randomisation_test,
    rank_intervals,
)


@pytest.fixture
def values() -> np.ndarray:
    """Questions that are easy or hard in all three languages at once."""
    rng = np.random.default_rng(1)
    return np.clip(rng.random((150, 1)) + 0.2 * rng.standard_normal((150, 3)), 0, 1)


def against_nothing(values: np.ndarray) -> np.ndarray:
    """A model, and one that scores 0 everywhere."""
    return np.stack([values, np.where(np.isfinite(values), 0, np.nan)])


def test_intervals_equal_scipys(values: np.ndarray) -> None:
    ours = intervals(bootstrap(columns(values), resamples=20000, seed=1)[0], len(values))
    for column, interval in zip([*values.T, values.mean(axis=1)], ours, strict=True):
        # Hesterberg's expanded percentile interval, by the functions of scipy.
        level = scipy.stats.norm.cdf(scipy.stats.t.ppf(0.025, 149) * (150 / 149) ** 0.5)
        confidence = 1 - 2 * float(level)
        theirs = scipy.stats.bootstrap(
            (column,), np.mean, n_resamples=20000, method="percentile", confidence_level=confidence, rng=2
        )
        assert interval == pytest.approx(tuple(theirs.confidence_interval), abs=0.002)


def test_the_mean_over_languages_is_no_surer_than_its_questions(values: np.ndarray) -> None:
    same = np.repeat(values[:, :1], 3, axis=1)
    single, *_, mean = intervals(bootstrap(columns(same), resamples=2000, seed=1)[0], 150)
    assert mean == single
    apart = np.full((450, 3), np.nan)
    for language in range(3):
        apart[150 * language : 150 * (language + 1), language] = same[:, language]
    *_, mean_of_strangers = intervals(bootstrap(columns(apart), resamples=2000, seed=1)[0], 450)
    width = single.high - single.low
    assert mean_of_strangers.high - mean_of_strangers.low == pytest.approx(width / 3**0.5, rel=0.15)


def test_languages_count_alike_however_many_questions_they_have() -> None:
    values = np.array([[1.0, 0.0], [1.0, np.nan], [1.0, np.nan]])
    assert language_means(values).tolist() == [1, 0, 0.5]
    assert (bootstrap(columns(values), resamples=50, seed=1)[0, :, 0] == 1).all()


def test_the_randomisation_test_equals_scipys_exact_one() -> None:
    differences = np.random.default_rng(3).standard_normal((12, 2)) + 0.4
    (ours,) = randomisation_test(columns(against_nothing(differences)), [(0, 1)], resamples=40000, seed=1)
    for column, p_value in zip([*differences.T, differences.mean(axis=1)], ours, strict=True):
        theirs = scipy.stats.permutation_test(
            (column, np.zeros(12)), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
        )
        assert p_value == pytest.approx(theirs.pvalue, abs=0.012)


def test_one_changed_question_is_never_significant_among_ranks() -> None:
    for seed in range(40):
        baseline = np.random.default_rng(seed).integers(1, 13_000, (400, 1)).astype(float)
        model = baseline.copy()
        model[0] += 5
        (p_values,) = randomisation_test(columns(np.stack([model, baseline])), [(0, 1)], resamples=100, seed=seed)
        assert p_values.tolist() == [1, 1]


def test_equal_models_are_never_told_apart_and_clear_differences_always() -> None:
    same = np.zeros((50, 2))
    models = np.stack([same, same, same + 1])
    equal, clear = randomisation_test(columns(models), [(0, 1), (2, 0)], resamples=99, seed=1)
    assert equal.tolist() == [1, 1, 1]
    assert clear.tolist() == [0.01, 0.01, 0.01]


def test_holm_equals_scipys_style_of_rejection() -> None:
    p_values = np.array([0.01, 0.04, 0.03, 0.005])
    assert holm(p_values) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.6, 0.7])).tolist() == [1, 1]


def test_results_do_not_depend_on_the_size_of_the_parts(values: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    models = columns(against_nothing(values - 0.5))

    def resampled() -> tuple[np.ndarray, np.ndarray]:
        return (
            randomisation_test(models, [(0, 1)], resamples=500, seed=1),
            bootstrap(models, resamples=500, seed=1),
        )

    whole = resampled()
    monkeypatch.setattr("msm.evaluation.statistics._DRAWS", 1000)
    parts = resampled()
    np.testing.assert_array_equal(whole[0], parts[0])
    np.testing.assert_allclose(whole[1], parts[1], rtol=1e-12)


def test_a_comparison_counts_wins_ties_and_losses() -> None:
    baseline = np.array([[0.5, 0.5], [0.5, 0.5], [0.5, np.nan]])
    model = np.array([[0.6, 0.5], [0.5, 0.4], [0.9, np.nan]])
    (result,) = compare(columns(np.stack([model, baseline])), [(0, 1)], resamples=100, signs=100, seed=1)
    assert result.differences == pytest.approx([0.5 / 3, -0.05, (0.5 / 3 - 0.05) / 2])
    assert (result.wins.tolist(), result.ties.tolist(), result.losses.tolist()) == ([2, 0, 2], [1, 1, 2], [0, 1, 1])
    assert len(result.intervals) == len(result.p_values) == 3
    (lower,) = compare(
        columns(np.stack([model, baseline])), [(0, 1)], resamples=100, signs=100, seed=1, less_is_better=True
    )
    assert (lower.wins.tolist(), lower.losses.tolist()) == (result.losses.tolist(), result.wins.tolist())
    assert lower.differences.tolist() == result.differences.tolist()


def test_models_together_are_compared_as_each_pair_alone(values: np.ndarray) -> None:
    rng = np.random.default_rng(5)
    first = np.where(rng.random(values.shape) < 0.3, np.nan, values)
    models = np.stack([first, first + 0.05 * rng.standard_normal(values.shape), 0.9 * first])
    together = compare(columns(models), [(1, 0), (2, 0), (2, 1)], resamples=200, signs=300, seed=1)
    for comparison, (model, baseline) in zip(together, [(1, 0), (2, 0), (2, 1)], strict=True):
        differences = models[model] - models[baseline]
        samples = bootstrap(columns(differences), resamples=200, seed=1)[0]
        np.testing.assert_allclose(comparison.intervals, intervals(samples, len(values)), atol=1e-12)
        words = -(-len(values) // 32)
        drawn_bytes = np.frombuffer(np.random.default_rng(1).bytes(300 * words * 4), np.uint8)
        signs = 1 - 2.0 * np.unpackbits(drawn_bytes).reshape(300, -1)[:, : len(values)]
        shares = np.nan_to_num(differences) / np.isfinite(differences).sum(axis=0)
        random_differences = np.abs(signs @ shares)
        random_differences = np.column_stack([random_differences, np.abs((signs @ shares).mean(axis=1))])
        own_differences = np.abs(np.append(shares.sum(axis=0), shares.sum(axis=0).mean()))
        np.testing.assert_allclose(
            comparison.p_values, (1 + (random_differences >= own_differences - 1e-12).sum(axis=0)) / 301
        )
        np.testing.assert_allclose(comparison.differences, language_means(differences))


def clustered(rng: np.random.Generator, clusters: int, is_clustered: bool) -> tuple[np.ndarray, np.ndarray]:
    """Reciprocal ranks of two equally good models, [2, C, 1], and the cluster of each question.

    Questions of a cluster share how hard they are, and which of the models suits them.
    """
    sizes = 1 + rng.poisson(4, clusters) if is_clustered else np.ones(clusters, int)
    numbers = np.repeat(np.arange(clusters), sizes)
    common_part = rng.normal(size=(clusters, 3))[numbers] * is_clustered
    ease = 0.7 * (common_part[:, :1] + rng.normal(size=(len(numbers), 1)))
    ability = ease + 0.5 * common_part[:, 1:] + 0.7 * rng.normal(size=(len(numbers), 2))
    ranks = np.floor(np.exp(1.5 - 1.2 * ability)) + 1
    return np.where(ranks <= 100, 1 / ranks, 0).T[..., None], numbers


def test_clusters_are_drawn_whole() -> None:
    """Ten copies of a question tell no more than one."""
    single = np.random.default_rng(1).random((2, 60, 1))
    copies, numbers = np.repeat(single, 10, axis=1), np.repeat(np.arange(60), 10)
    alone = compare(columns(single), [(0, 1)], resamples=500, signs=500, seed=1)[0]
    together = compare(columns(copies, numbers), [(0, 1)], resamples=500, signs=500, seed=1)[0]
    np.testing.assert_allclose(alone.intervals, together.intervals, atol=1e-12)
    assert alone.p_values.tolist() == together.p_values.tolist()
    careless = compare(columns(copies), [(0, 1)], resamples=500, signs=500, seed=1)[0]
    width = [float(np.diff(comparison.intervals[-1])[0]) for comparison in (together, careless)]
    assert width[0] / width[1] == pytest.approx(10**0.5, rel=0.15)


@pytest.mark.slow
@pytest.mark.parametrize("is_clustered", [False, True], ids=["independent", "clustered"])
@pytest.mark.parametrize("clusters", [50, 100, 300])
def test_intervals_cover_and_tests_err_as_often_as_they_say(clusters: int, is_clustered: bool) -> None:
    rng = np.random.default_rng(10 * clusters + is_clustered)
    sums = np.zeros(2)
    for _ in range(200):
        values, _ = clustered(rng, 2000, is_clustered)
        sums += values.sum(), values.size
    truth, sets = sums[0] / sums[1], 2000
    hits, errors = np.zeros(2), 0
    for number in range(sets):
        values, numbers = clustered(rng, clusters, is_clustered)
        data = columns(values, numbers)
        first, second = bootstrap(data, resamples=1000, seed=number)
        for place, (samples, right) in enumerate(((first, truth), (first - second, 0))):
            low, high = intervals(samples, data.cluster_count)[0]
            hits[place] += low <= right <= high
        errors += randomisation_test(data, [(0, 1)], resamples=1000, seed=number)[0, 0] <= 0.05
    assert ((hits / sets >= 0.93) & (hits / sets <= 0.97)).all(), hits / sets
    assert 0.03 <= errors / sets <= 0.07


def test_ranks_of_models_that_can_and_cannot_be_told_apart() -> None:
    rng = np.random.default_rng(2)
    base = rng.random((200, 2))
    noise = 0.05 * rng.standard_normal((4, 200, 2))
    models = columns(np.stack([base, base + 0.3, base + 0.001, base - 0.3]) + noise)
    samples = bootstrap(models, resamples=500, seed=1)
    assert rank_intervals(models, samples) == [(2, 3), (1, 1), (2, 3), (4, 4)]
    assert rank_intervals(models, samples, less_is_better=True) == [(2, 3), (4, 4), (2, 3), (1, 1)]
    same = columns(np.stack([base, base]))
    assert rank_intervals(same, bootstrap(same, resamples=100, seed=1)) == [RankInterval(1, 2)] * 2
    ahead = columns(np.stack([base, base + 0.1]))
    assert rank_intervals(ahead, bootstrap(ahead, resamples=100, seed=1)) == [(2, 2), (1, 1)]


@pytest.mark.slow
@pytest.mark.parametrize(("clusters", "least", "most"), [(100, 0.03, 0.07), (10, 0.0, 0.1)])
def test_equal_models_are_ranked_apart_in_five_of_a_hundred_sets(clusters: int, least: float, most: float) -> None:
    """All pairs of six models are looked at together: any pair told apart is an error. Few clusters are rough."""
    rng = np.random.default_rng(3)
    wrong = 0
    for number in range(1000):
        common_part = rng.random((clusters, 1))
        models = columns(np.stack([common_part + rng.normal(size=(clusters, 1)) * (1 + place) for place in range(6)]))
        ranks = rank_intervals(models, bootstrap(models, resamples=500, seed=number))
        wrong += any(span != (1, 6) for span in ranks)
    assert least <= wrong / 1000 <= most
