"""``python -m sfmforensics`` is the command ``sfmforensics``."""

from sfmforensics.cli import entry_point

if __name__ == "__main__":
    entry_point()
