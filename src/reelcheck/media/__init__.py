"""Opening, decoding and converting what strangers sent. The only floor that touches FFmpeg."""
