DROP TABLE setting_change;
