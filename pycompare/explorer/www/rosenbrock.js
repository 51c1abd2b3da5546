// The tab "Rosenbrock": drawn as "Landscape".
"use strict";

draw.rosenbrock = (section, answer) => drawPaths(section, answer);
