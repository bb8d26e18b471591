import pytest

from sfmforensics.datasets._meanings import refuse_parts
from sfmforensics.exceptions import DatasetError


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"start": "0", "duration": "1.5"}, "column 'duration'; if its rows are segments"),
        ({"start_time": "0", "end_s": "1"}, "'start_time' and 'end_s'"),
        ({"segment_start": "0"}, "'segment_start'"),
        ({"onset": "0.5", "offset": "1.5"}, "'onset' and 'offset'"),
        ({"offset": "0.5", "duration": "1.5"}, "'offset' and 'duration'"),
        ({"begin": "00:01.5", "duration": "3"}, "'begin' and 'duration'"),
        ({"tmin": "0", "tmax": "1"}, "'tmin' and 'tmax'"),
        ({"channel_id": "2"}, "column 'channel_id' with '2'; .* call it channel"),
        ({"Channels": "left"}, "column 'Channels' with 'left'"),
    ],
)
def test_rows_that_are_parts_of_recordings_are_refused_by_column(columns, says):
    with pytest.raises(DatasetError, match=says) as refused:
        refuse_parts("t.csv", {"path": ["a.wav"]} | {name: [c] for name, c in columns.items()})
    assert str(refused.value).startswith("t.csv: has ")
    assert "rename" in str(refused.value)


@pytest.mark.parametrize(
    "columns",
    [
        {"start": "0", "end": "1.5", "channel": "2"},  # as they are called
        {"channel_type": "telephone"},
        {"duration": "3.5"},
        {"onset": "12"},  # of an illness, in years
        {"offset": "1"},
        {"begin": "monday", "stop": "friday"},
        {"started": "1", "weekend": "2", "trend": "3", "gender": "f", "calendar": "x"},
        {"start_date": "2020-01-01"},
        {"onset": "", "duration": ""},
    ],
)
def test_labels_that_are_called_alike_are_none_of_these(columns):
    refuse_parts("t.csv", {"path": ["a.wav"]} | {name: [c] for name, c in columns.items()})
