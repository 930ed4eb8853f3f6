"""Makes `python -m lading.cli` the same program as `lading`."""

from lading.cli.main import main

if __name__ == "__main__":
    main()
