"""What a team writes in `tocsin.yaml`, one file a section; `tocsin.config` loads and checks the whole."""
