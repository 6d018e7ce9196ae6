window.connect(window.Primus);
