"""Every observed property shows somewhere, and every figure says how it is made."""

from tsuji_platform.analytics.figures import FIGURES
from tsuji_platform.contract import OBSERVED_PROPERTIES, Aggregation


def test_every_observed_property_is_part_of_exactly_one_figure() -> None:
    used = [name for figure in FIGURES.values() for name in figure.properties]
    assert sorted(used) == sorted(OBSERVED_PROPERTIES)


def test_a_figure_of_one_property_has_its_unit_and_way_to_combine() -> None:
    for figure in FIGURES.values():
        if len(figure.properties) == 1 and figure.over_time is None:
            known = OBSERVED_PROPERTIES[figure.properties[0]]
            assert (figure.unit, figure.unit_label) == (known.unit, known.unit_label)
            assert figure.over_things is known.aggregation


def test_what_adds_up_over_time_is_totalled_over_the_window_and_nothing_else_is() -> None:
    for figure in FIGURES.values():
        adds_up = {
            OBSERVED_PROPERTIES[name].aggregation is Aggregation.SUM for name in figure.properties
        }
        assert adds_up == {figure.over_time is Aggregation.SUM}, figure.id


def test_every_figure_explains_itself_in_both_languages() -> None:
    for figure in FIGURES.values():
        assert figure.method.endswith(".")
        assert figure.method_ja.endswith("。")
        assert "60" in figure.method
        assert "60" in figure.method_ja
        assert figure.label != figure.label_ja or figure.id == "pm2_5"
        assert 0 <= figure.decimals <= 2
