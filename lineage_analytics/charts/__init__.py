"""One function per chart, one theme: a table in, an Altair chart out."""
