import { fetchApi } from '../client/http.ts';
import { begin } from './begin.tsx';
import { ownPage, redeemLink } from './hosted.ts';

const bridge = ownPage();
void redeemLink(fetchApi, bridge.store).then((refusal) => begin(bridge, refusal));
