"""`python -m nbtwisted.client`."""

from nbtwisted.command_line import end_quietly_when_interrupted

if __name__ == "__main__":
    end_quietly_when_interrupted()

    from nbtwisted.client.command import main

    main()
