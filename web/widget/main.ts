import { begin } from './begin.tsx';
import { meetLoader } from './bridge.ts';

void meetLoader().then((bridge) => begin(bridge, null));
