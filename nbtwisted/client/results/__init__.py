"""How requests ended: as bytes, spans and archives."""
