"""From MQTT packet to committed row."""
