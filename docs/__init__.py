"""The guides; `book` makes a site of them, of the study and of the API."""
