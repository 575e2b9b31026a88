"""`python -m nbtwisted.client`."""

from nbtwisted.client.command import main

if __name__ == "__main__":
    main()
